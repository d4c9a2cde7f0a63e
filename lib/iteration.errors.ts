import { describe } from './describe.js';
/** Base of every error this library throws; its subclasses name what was found, where, and what to do. */
export class IterationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An error that Nest's exception filter answers with its status and its message, when a controller throws it. */
abstract class AnsweredError extends IterationError {
  abstract readonly statusCode: number;
  readonly expose = true;

  get status(): number {
    return this.statusCode;
  }
}

/** A misuse of the decorators, found when the application starts. */
export class InvalidProcessorError extends IterationError {
  constructor(
    /** The class at fault. */
    readonly processor: string,
    message: string,
  ) {
    super(`${processor}: ${message}`);
  }
}

/** An option that is unknown, of the wrong type, or out of range. */
export class InvalidOptionsError extends AnsweredError {
  readonly statusCode: number = 400;
}

/** `@BuildEnumerator` returned something that cannot be iterated, or a source that cannot be followed. */
export class InvalidEnumeratorError extends IterationError {}

/** A cursor (or state) that JSON would change, or that is too large to be saved with the job. */
export class InvalidCursorError extends AnsweredError {
  readonly statusCode: number = 400;

  constructor(
    message: string,
    /** Where in the cursor the value stands, such as `cursor[0].at`. */
    readonly path: string,
  ) {
    super(message);
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
    { reached, ...options }: ErrorOptions & { readonly reached?: string },
  ) {
    const items = `${limit} ${limit === 1 ? 'item' : 'items'}, as many as itemFailure.limit allows`;
    super(
      `The job has skipped ${reached ?? items}, and one more failed: ` +
        `${options.cause instanceof Error ? options.cause.message : describe(options.cause)}`,
      options,
    );
  }
}

/** Parts of a job have failed, so the job has ([R27](docs/guarantees.md#r27)). A retry of the job retries them. */
export class PartFailedError extends IterationError {
  constructor(
    /** The ids of the parts that have failed. */
    readonly parts: readonly string[],
    { of, reason }: { readonly of: number; readonly reason: string },
  ) {
    super(`${parts.length} of its ${of} parts have failed; the first is the job "${parts[0]}": ${reason}`);
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
export class JobNotFoundError extends AnsweredError {
  readonly statusCode: number = 404;

  constructor(
    readonly queue: string,
    readonly id: string,
  ) {
    super(`Queue "${queue}" has no job "${id}": it never existed, or was removed (see removeOnComplete)`);
  }
}

/** The job's state does not allow the call. */
export class JobStateError extends AnsweredError {
  readonly statusCode: number = 409;

  constructor(
    readonly queue: string,
    readonly id: string,
    message: string,
  ) {
    super(`Job "${id}" of queue "${queue}" ${message}`);
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
