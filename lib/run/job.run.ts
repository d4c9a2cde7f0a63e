import { hostname } from 'node:os';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { WorkerOptions } from 'bullmq';
import { type EnumeratorLike, isEnumeratorLike, readerOf } from '../enumerators/contract/index.js';
import {
  InvalidCursorError,
  InvalidEnumeratorError,
  IterationCancelledError,
  SourceChangedError,
} from '../iteration.errors.js';
import { endedNow, type Restored, restoreCheckpoint } from './checkpoint.js';
import { controlErrorOf, judge, toError, type Verdict } from './failure.js';
import type { Interruption } from './interruption.js';
import { ItemLoop, isPromise, type LoopEnd } from './item.loop.js';
import type { IterationResult, RunEnd } from './iteration.context.js';
import { JobGuard } from './job.guard.js';
import { Position } from './position.js';
import type { ProcessorDefinition } from './processor.definition.js';
import { RunCheckpoint, type RunCheckpointParts } from './run.checkpoint.js';
import { RunContext } from './run.context.js';
import { RunHooks } from './run.hooks.js';
import type { Settlement } from './settlement.js';
import { cursorAfter, versionChange } from './source.change.js';

export interface RunParts extends RunCheckpointParts {
  readonly definition: ProcessorDefinition;
  readonly settings: WorkerOptions['settings'];
}

/** Why the items ended: what the loop says, or what was thrown on the way. */
type Ending = LoopEnd | { readonly type: 'nothing to do' } | { readonly type: 'error'; readonly error: Error };

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
  #begun = false;

  constructor(
    private readonly parts: RunParts,
    private readonly guard: JobGuard,
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
  }

  async execute(): Promise<Settlement> {
    const { interruption, log } = this.parts;
    const { cancelled, foreign } = this.restored;
    if (foreign !== undefined) {
      log.warn(
        `its progress ${JSON.stringify(foreign)} is no checkpoint of this library: it starts from the beginning`,
      );
    }
    if (cancelled) return this.#cancelled(new IterationCancelledError());
    const ending = await interruption.untilAbandoned(this.#iterate());
    return this.#conclude(ending ?? { type: 'interrupt', interruption: { reason: 'shutdown' } });
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
    if (interruption.pending) return { type: 'interrupt', interruption: interruption.pending };
    if (!this.#begun) await this.#begin(enumerator);
    return new ItemLoop({
      reader: readerOf(enumerator),
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

  /** R7: checkpoint, hooks, then settle, once. */
  async #conclude(ending: Ending): Promise<Settlement> {
    try {
      return await this.#concludeAs(ending);
    } catch (thrown) {
      return this.#failed(toError(thrown, this.parts.definition.name)); // a cursor or state that cannot be saved (R8)
    }
  }

  async #concludeAs(ending: Ending): Promise<Settlement> {
    const { interruption } = this.parts;
    if (ending.type === 'nothing to do') return this.#nothingToDo();
    if (ending.type === 'complete' || ending.type === 'stop') return this.#completed();
    if (interruption.pending?.reason === 'lockLost') return this.#lost();
    if (interruption.cancelled) return this.#cancelled(interruption.cancelled);
    if (ending.type === 'interrupt') {
      const untouched = !this.#begun && ending.interruption.reason === 'shutdown';
      return untouched ? { type: 'wait' } : this.#interrupted(ending.interruption);
    }
    // Work that was told to stop at once may say so by throwing; that is no failure of its item.
    if (interruption.signal.aborted && interruption.pending) return this.#interrupted(interruption.pending);
    return this.#controlled(ending.error) ?? this.#failed(ending.error);
  }

  /** R12: without hooks. Retried by hand, it starts anew like any completed job. */
  async #nothingToDo(): Promise<Settlement> {
    const saved = await this.#checkpoint.saveLast({ ended: endedNow('complete', this.parts.job) });
    return saved ? { type: 'completed', result: this.#result() } : this.#lost();
  }

  async #completed(): Promise<Settlement> {
    const { definition, interruption, job, log } = this.parts;
    const { stopped } = this.#context;
    if (!(await this.#checkpoint.saveLast({ progress: 100, ended: endedNow('complete', job), stopped })))
      return this.#lost();
    let result: unknown = this.#result();
    try {
      if (!stopped?.silent) {
        if (!interruption.isAbandoned)
          result = (await interruption.untilAbandoned(this.#hooks.call('complete', undefined))) ?? result;
        if (interruption.isAbandoned) return this.#interrupted({ reason: 'shutdown' }); // it is called (again) by the next run
      }
      JSON.stringify(result);
    } catch (thrown) {
      const error = toError(thrown, `The complete hook of ${definition.name}`);
      return this.#controlled(error) ?? this.#failed(error);
    }
    await this.#end({ outcome: 'complete' });
    log.completed(this.#checkpoint.current, this.#position.finished);
    return { type: 'completed', result };
  }

  async #interrupted(interruption: Interruption): Promise<Settlement> {
    const { definition, log } = this.parts;
    const interruptions = this.#checkpoint.current.interruptions + 1;
    const yields = interruption.reason !== 'shutdown';
    if (!(await this.#checkpoint.saveLast({ interruptions, lastInterruption: interruption }, { yields })))
      return this.#lost();
    await this.#hooks.callQuietly('interrupt', interruption);
    await this.#end({ outcome: 'interrupt' });
    log.interrupted(interruption, this.#checkpoint.current, this.#position.finished);
    return yields
      ? { type: 'delay', delayMs: interruption.retryInMs ?? definition.options.resumeDelayMs }
      : { type: 'wait' };
  }

  /** R22: BullMQ's control errors are no failure; undefined for any other error. */
  #controlled(error: Error): Promise<Settlement> | undefined {
    const control = controlErrorOf(error);
    return (
      control &&
      this.#interrupted({ reason: 'bullmq' }).then((settlement) =>
        settlement.type === 'lost' ? settlement : { type: 'control', error, control, deferred: this.guard.deferred },
      )
    );
  }

  async #cancelled(error: IterationCancelledError): Promise<Settlement> {
    if (!(await this.#checkpoint.saveLast({ ended: endedNow('cancel', this.parts.job) }))) return this.#lost();
    await this.#hooks.callQuietly('cancel', { error });
    await this.#end({ outcome: 'cancel', error });
    this.parts.log.cancelled(this.#checkpoint.current, error);
    return { type: 'failed', error, failures: 1, verdict: { type: 'fail' } };
  }

  /** R22, R23: the error reaches the job as it is; `attempts` counts failures without progress. */
  async #failed(error: Error): Promise<Settlement> {
    const { job, log } = this.parts;
    if (error instanceof InvalidCursorError) this.#checkpoint.forgetUnsaved();
    const failures = this.#position.finished > 0 ? 1 : this.#checkpoint.current.failures + 1;
    const verdict = await this.#judge(error, failures);
    const ended = verdict.type === 'fail' ? endedNow('fail', job) : undefined;
    if (!(await this.#checkpoint.saveLast({ failures, ended }))) return this.#lost();
    if (verdict.type === 'fail') await this.#hooks.callQuietly('fail', { error });
    await this.#end({ outcome: verdict.type, error });
    log.failed(error, verdict, this.#checkpoint.current);
    return { type: 'failed', error, failures, verdict };
  }

  /** A backoff strategy is the user's: one that fails, or never answers, keeps no job from its retry. */
  async #judge(error: Error, failures: number): Promise<Verdict> {
    const { interruption, job, log, settings } = this.parts;
    const atOnce: Verdict = { type: 'retry', delayMs: 0 };
    try {
      return (await interruption.untilAbandoned(judge(error, failures, { job, settings }))) ?? atOnce;
    } catch (thrown) {
      log.warn(`its backoff failed (${toError(thrown, 'The backoff strategy').message}); it is retried at once`);
      return atOnce;
    }
  }

  /** R20: another worker's, or soon: nothing of this run counts, and its hooks are the other's to call. */
  #lost(): Settlement {
    this.parts.log.lost(this.#checkpoint.current);
    return { type: 'lost' };
  }

  /** What a hook makes of the state is saved as well; if it cannot be, the job settles all the same (R7). */
  async #end(end: RunEnd): Promise<void> {
    await this.#hooks.callQuietly('end', end);
    const { ended, failures, state = null } = this.#checkpoint.current;
    if (isDeepStrictEqual(this.#context.state, state)) return;
    try {
      await this.#checkpoint.saveLast({ ended, failures });
    } catch (error) {
      this.parts.log.warn(`what its hooks made of its state is not saved: ${String(error)}`);
    }
  }

  #result(): IterationResult {
    return { processed: this.#position.processed, skipped: this.#checkpoint.current.skipped };
  }
}
