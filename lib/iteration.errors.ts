import { describe } from './describe.js';

/** Base of every error this library throws; its subclasses name what was found, where, and what to do. */
export class IterationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The request of a user is at fault. Nest's exception filter answers such an error with its status and message. */
class RequestError extends IterationError {
  /** The HTTP status. Nest takes an error of `http-errors` for what it is by these three fields. */
  readonly statusCode: number;
  readonly status: number;
  readonly expose: boolean = true;

  constructor(statusCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.statusCode = statusCode;
    this.status = statusCode;
  }
}

/** A misuse of the decorators, found when the application starts. */
export class InvalidProcessorError extends IterationError {
  constructor(
    /** The class at fault. */
    readonly processor: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${processor}: ${message}`, options);
  }
}

/** An option that is unknown, of the wrong type, or out of range. */
export class InvalidOptionsError extends RequestError {
  constructor(message: string, options?: ErrorOptions) {
    super(400, message, options);
  }
}

/** `@BuildEnumerator` returned something that cannot be iterated, or a source that cannot be followed. */
export class InvalidEnumeratorError extends IterationError {}

/** A cursor (or state) that JSON would change, or that is too large to be saved with the job. */
export class InvalidCursorError extends RequestError {
  constructor(
    message: string,
    /** Where in the cursor the value stands, such as `cursor[0].at`. */
    readonly path: string,
    options?: ErrorOptions,
  ) {
    super(400, message, options);
  }
}

/** The source, or the meaning of the processor's cursors, changed after the checkpoint was saved. */
export class SourceChangedError extends IterationError {}

/** An item crashed its process too often ([R19](docs/guarantees.md#r19)). */
export class CrashLoopError extends IterationError {
  constructor(
    message: string,
    /** The number of crashes. */
    readonly crashes: number,
  ) {
    super(message);
  }
}

/**
 * A job was about to skip more items than `itemFailure` allows ([R24](docs/guarantees.md#r24)). The last item's error is the
 * `cause`.
 */
export class SkipLimitError extends IterationError {
  constructor(
    /** The limit that is reached: a number of items, or of percent. */
    readonly limit: number,
    { reached, ...options }: ErrorOptions & { readonly reached?: string } = {},
  ) {
    const items = `${limit} ${limit === 1 ? 'item' : 'items'}, as many as itemFailure.limit allows`;
    super(
      `The job has skipped ${reached ?? items}, and one more failed: ` +
        `${options.cause instanceof Error ? options.cause.message : describe(options.cause)}`,
      options,
    );
  }
}

/** The item of a dead letter is gone: the letter stays, with this error ([R24](docs/guarantees.md#r24)). */
export class ItemGoneError extends IterationError {
  constructor(
    /** The cursor before the item. */
    readonly before: unknown,
    /** The item's own. */
    readonly cursor: unknown,
  ) {
    super(
      `The item of this dead letter is gone: after the cursor ${describe(before)} its source has no item with the cursor ` +
        `${describe(cursor)}. Remove the letter if that is expected`,
    );
  }
}

/** The job was cancelled. Its BullMQ state is `failed`. */
export class IterationCancelledError extends IterationError {
  constructor(
    /** The reason that was given for it. */
    readonly reason?: string,
    /** Who asked for it. */
    readonly by?: string,
  ) {
    super(`The job was cancelled${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`);
  }
}

/** No processor of this application handles a job of this name. */
export class UnknownJobError extends IterationError {
  constructor(
    readonly queue: string,
    readonly jobName: string,
    message: string,
  ) {
    super(message);
  }
}

/** The queue holds no job of this id. */
export class JobNotFoundError extends RequestError {
  constructor(
    readonly queue: string,
    readonly id: string,
  ) {
    super(404, `Queue "${queue}" has no job "${id}": it never existed, or was removed (see removeOnComplete)`);
  }
}

/** The job's state does not allow the call. */
export class JobStateError extends RequestError {
  constructor(
    readonly queue: string,
    readonly id: string,
    message: string,
  ) {
    super(409, `Job "${id}" of queue "${queue}" ${message}`);
  }
}

/** An optional package that a feature needs is not installed. */
export class MissingDependencyError extends IterationError {
  constructor(
    /** The package to install. */
    readonly dependency: string,
    feature: string,
    options?: ErrorOptions,
  ) {
    super(`${feature} needs the package "${dependency}", which is not installed: npm install ${dependency}`, options);
  }
}
