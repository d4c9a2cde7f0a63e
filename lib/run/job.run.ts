import { hostname } from 'node:os';
import { inspect } from 'node:util';
import { type EnumeratorLike, isEnumeratorLike, readerOf } from '../enumerators/contract/index.js';
import { InvalidEnumeratorError, IterationCancelledError, SourceChangedError } from '../iteration.errors.js';
import { type Restored, restoreCheckpoint } from './checkpoint.js';
import { toError } from './failure.js';
import { ItemLoop, isPromise } from './item.loop.js';
import { JobGuard } from './job.guard.js';
import { Position } from './position.js';
import { RunCheckpoint } from './run.checkpoint.js';
import { Conclusion, type Ending } from './run.conclusion.js';
import { RunContext } from './run.context.js';
import { RunHooks } from './run.hooks.js';
import type { RunParts } from './run.parts.js';
import type { Settlement } from './settlement.js';
import { cursorAfter, versionChange } from './source.change.js';

/** One run of one job: restore, build, begin, iterate, conclude. What it gives is told to BullMQ by `settle`. */
export async function runJob(parts: RunParts): Promise<Settlement> {
  if (parts.interruption.pending) return { type: 'wait' }; // R4: untouched
  const guard = new JobGuard(parts.job, (message) => parts.log.warn(message));
  try {
    return await new JobRun(parts, guard, restoreCheckpoint(parts.job)).execute();
  } finally {
    guard.release();
  }
}

class JobRun {
  readonly #position: Position;
  readonly #context: RunContext;
  readonly #checkpoint: RunCheckpoint;
  readonly #hooks: RunHooks;
  readonly #conclusion: Conclusion;
  #begun = false;

  constructor(
    private readonly parts: RunParts,
    guard: JobGuard,
    private readonly restored: Restored,
  ) {
    const { definition, interruption, job } = parts;
    const { checkpoint } = restored;
    const run = checkpoint.run + 1;
    this.#position = new Position(checkpoint.cursor, checkpoint.processed);
    this.#context = new RunContext({
      job,
      position: this.#position,
      interruption,
      run,
      interruptions: checkpoint.interruptions,
      state: checkpoint.state ?? null,
      stopped: checkpoint.stopped,
    });
    const begun = { ...checkpoint, run, worker: `${hostname()}:${process.pid}` };
    this.#checkpoint = new RunCheckpoint(parts, begun, this.#position, this.#context);
    this.#hooks = new RunHooks(definition.hooks, this.#context, parts);
    this.#conclusion = new Conclusion({
      ...parts,
      position: this.#position,
      context: this.#context,
      checkpoint: this.#checkpoint,
      hooks: this.#hooks,
      guard,
    });
  }

  async execute(): Promise<Settlement> {
    const { interruption, log } = this.parts;
    const { cancelled, foreign } = this.restored;
    if (foreign !== undefined) {
      log.warn(
        `its progress ${JSON.stringify(foreign)} is no checkpoint of this library: it starts from the beginning`,
      );
    }
    if (cancelled) return this.#conclusion.cancelled(new IterationCancelledError());
    const ending = await interruption.untilAbandoned(this.#iterate());
    return this.#conclusion.conclude(
      ending ?? { type: 'interrupt', interruption: { reason: 'shutdown' }, begun: this.#begun },
    );
  }

  /** From the cursor to the end of the items. What user code throws on the way is an ending too. */
  async #iterate(): Promise<Ending> {
    const { definition } = this.parts;
    try {
      const change = versionChange(definition, this.#checkpoint.current);
      if (change) this.#follow(change);
      this.#checkpoint.change({ version: definition.version });
      return await this.#iterateItems();
    } catch (error) {
      if (!(error instanceof SourceChangedError) || this.#position.finished > 0) return this.#error(error);
      return this.#iterateChanged(error);
    }
  }

  /** Once: a source that changes again is not followed. */
  async #iterateChanged(change: SourceChangedError): Promise<Ending> {
    try {
      this.#follow(change);
      return await this.#iterateItems();
    } catch (error) {
      return this.#error(error);
    }
  }

  #error(thrown: unknown): Ending {
    return { type: 'error', error: toError(thrown, this.parts.definition.handlerName) };
  }

  #follow(change: SourceChangedError): void {
    const next = cursorAfter(change, this.parts.definition, this.#checkpoint.current);
    const where = next === null ? 'from the beginning' : `behind ${JSON.stringify(next)}`;
    this.parts.log.warn(`${change.message}. It goes on ${where} (onChange)`);
    this.#context.stopped = undefined;
    this.#checkpoint.moveTo(next);
  }

  async #iterateItems(): Promise<Ending> {
    const { clock, definition, interruption, lock, log } = this.parts;
    const context = this.#context;
    const enumerator = await this.#build();
    if (!enumerator) return { type: 'nothing to do' };
    lock.check(clock.now());
    if (interruption.pending) return { type: 'interrupt', interruption: interruption.pending, begun: this.#begun };
    if (!this.#begun) await this.#begin(enumerator);
    const end = await new ItemLoop({
      reader: readerOf(enumerator, this.#position.processed),
      handle: (item) => {
        context.item = item;
        return definition.handle(item, context);
      },
      position: this.#position,
      interruption,
      lock,
      clock,
      options: definition.options,
      stopped: () => context.stopped !== undefined,
      save: () => this.#checkpoint.save(),
      warn: (message) => log.warn(message),
    }).run();
    return end.type === 'interrupt' ? { ...end, begun: true } : end;
  }

  async #build(): Promise<EnumeratorLike<unknown> | null> {
    const { builderName, build } = this.parts.definition;
    const enumerator: unknown = await build(this.#context);
    if (enumerator === null || isEnumeratorLike(enumerator)) return enumerator;
    throw new InvalidEnumeratorError(
      `${builderName} returned ${String(enumerator)}; it must return an enumerator, an iterable of [item, cursor], or ` +
        'null for nothing to do. Was the "return" forgotten?',
    );
  }

  /** R11: `start` is recorded when it has returned; it is the first of a job's life also when an earlier run died before it. */
  async #begin(enumerator: EnumeratorLike<unknown>): Promise<void> {
    const { log } = this.parts;
    this.#begun = true;
    this.#askSize(enumerator);
    if (this.#checkpoint.current.started) {
      log.resumed(this.#checkpoint.current);
      await this.#hooks.call('resume', undefined);
    } else {
      log.started();
      await this.#hooks.call('start', undefined);
      this.#checkpoint.change({ started: true });
    }
    await this.#checkpoint.save();
  }

  /** Once in a job's life, beside its first items: a count may take long. */
  #askSize(enumerator: EnumeratorLike<unknown>): void {
    if (this.#checkpoint.current.size !== undefined || !('size' in enumerator) || typeof enumerator.size !== 'function')
      return;
    const warn = (error: unknown) => this.parts.log.warn(`its size is not known: ${toError(error, 'size').message}`);
    const keep = (size: unknown) => {
      if (Number.isFinite(size) && (size as number) >= 0) this.#checkpoint.change({ size: size as number });
      else if (size === undefined) this.#checkpoint.change({ size: null });
      else warn(new InvalidEnumeratorError(`size gave ${inspect(size)}, which is no number of items`));
    };
    try {
      const size: unknown = enumerator.size();
      if (isPromise(size)) Promise.resolve(size).then(keep, warn);
      else keep(size);
    } catch (error) {
      warn(error);
    }
  }
}
