import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job, WorkerOptions } from 'bullmq';
import type { Clock } from '../clock.js';
import { checkJson } from '../cursor.js';
import { type EnumeratorLike, isEnumeratorLike, readerOf } from '../enumerators/contract/index.js';
import {
  InvalidCursorError,
  InvalidEnumeratorError,
  IterationCancelledError,
  SourceChangedError,
} from '../iteration.errors.js';
import { type Checkpoint, endedNow, restoreCheckpoint } from './checkpoint.js';
import type { CheckpointStore, SaveOptions } from './checkpoint.store.js';
import { controlErrorOf, judge, toError } from './failure.js';
import type { Interruption, InterruptionRequest } from './interruption.js';
import { ItemLoop, type LoopEnd } from './item.loop.js';
import type { IterationEvent, IterationEvents, IterationResult, RunEnd } from './iteration.context.js';
import { JobGuard } from './job.guard.js';
import type { Lock } from './lock.js';
import { nextPace } from './pace.js';
import { Position } from './position.js';
import type { ProcessorDefinition } from './processor.definition.js';
import { RunContext } from './run.context.js';
import type { RunLog } from './run.log.js';
import type { Settlement } from './settlement.js';

export interface RunParts {
  readonly definition: ProcessorDefinition;
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly log: RunLog;
  readonly settings: WorkerOptions['settings'];
}

/** Why the items ended: what the loop says, or what was thrown on the way. */
type Ending = LoopEnd | { readonly type: 'error'; readonly error: Error };

/** How long a run whose handler was abandoned may still take to save its checkpoint. */
const LAST_SAVE_MS = 2_000;
const SAVE_AGAIN_MS = 250;

/** One run of one job: restore, build, begin, iterate, conclude. What it returns is told to BullMQ by `settle`. */
export class JobRun {
  readonly #guard: JobGuard;
  #checkpoint!: Checkpoint;
  #position!: Position;
  #context!: RunContext;
  #startedAt = 0;
  #begun = false;
  #sourceChanges = 0;

  constructor(private readonly parts: RunParts) {
    this.#guard = new JobGuard(parts.job, (message) => parts.log.warn(message));
  }

  async execute(): Promise<Settlement> {
    try {
      if (this.parts.interruption.pending) return { type: 'wait' }; // R4: untouched
      return await this.#run();
    } finally {
      this.#guard.release();
    }
  }

  async #run(): Promise<Settlement> {
    const cancelled = this.#restore();
    if (cancelled) return this.#cancelled(new IterationCancelledError());
    const ending = await this.#untilAbandoned(this.#iterate());
    if (ending === 'nothing to do') return { type: 'completed', result: this.#result() };
    return this.#conclude(ending ?? { type: 'interrupt', interruption: { reason: 'shutdown' } });
  }

  /** @returns whether the job was cancelled, and BullMQ never learnt it. */
  #restore(): boolean {
    const { clock, interruption, job, log } = this.parts;
    const { checkpoint, foreign, cancelled = false } = restoreCheckpoint(job);
    if (foreign !== undefined) {
      log.warn(
        `its progress ${JSON.stringify(foreign)} is no checkpoint of this library: it starts from the beginning`,
      );
    }
    this.#startedAt = clock.now();
    this.#checkpoint = { ...checkpoint, run: checkpoint.run + 1, worker: `${hostname()}:${process.pid}` };
    this.#position = new Position(checkpoint.cursor, checkpoint.processed);
    this.#context = new RunContext({
      job,
      position: this.#position,
      interruption,
      run: this.#checkpoint.run,
      interruptions: checkpoint.interruptions,
      state: checkpoint.state ?? null,
    });
    return cancelled;
  }

  /** From building the enumerator to the end of the items. Whatever is thrown is a failure of the run, or a control error. */
  async #iterate(): Promise<Ending | 'nothing to do'> {
    try {
      this.#followVersion();
      for (;;) {
        const enumerator = await this.#build();
        if (!enumerator) return 'nothing to do';
        this.parts.lock.check(this.parts.clock.now());
        const { pending } = this.parts.interruption;
        if (pending) return { type: 'interrupt', interruption: pending };
        if (!this.#begun) await this.#begin(enumerator);
        const end = await this.#iterateItems(enumerator);
        if (end) return end;
      }
    } catch (thrown) {
      return { type: 'error', error: toError(thrown, this.parts.definition.handlerName) };
    }
  }

  /** R10: a cursor of another version is never resumed silently. */
  #followVersion(): void {
    const { version, name } = this.parts.definition;
    const { version: saved, cursor, run } = this.#checkpoint;
    if (saved === version) return;
    if (cursor !== null && run > 1) {
      this.#onChange(
        new SourceChangedError(
          `${name} has version ${JSON.stringify(version)}, and the job's cursor was made by version ${JSON.stringify(saved)}. ` +
            'Let "onChange" say what to do with such jobs',
        ),
      );
    }
    this.#checkpoint = { ...this.#checkpoint, version };
  }

  #onChange(change: SourceChangedError): void {
    const { definition, log } = this.parts;
    const { onChange } = definition;
    if (onChange === 'fail') throw change;
    const { version, cursor } = this.#checkpoint;
    const next = onChange === 'restart' ? null : onChange({ version, cursor });
    checkJson(next);
    log.warn(
      `${change.message}. It goes on ${next === null ? 'from the beginning' : `behind ${JSON.stringify(next)}`} (onChange)`,
    );
    if (next === null) this.#position.processed = 0;
    this.#position.moveTo(next);
    this.#checkpoint = { ...this.#checkpoint, cursor: next, size: undefined };
  }

  async #build(): Promise<EnumeratorLike<unknown> | null> {
    const { definition } = this.parts;
    const enumerator: unknown = await definition.build(this.#context);
    if (enumerator === null || isEnumeratorLike(enumerator)) return enumerator;
    throw new InvalidEnumeratorError(
      `${definition.builderName} returned ${enumerator === undefined ? 'undefined' : String(enumerator)}; it must return an ` +
        'enumerator, an iterable of [item, cursor], or null for nothing to do. Was the "return" forgotten?',
    );
  }

  /** R11: `start` is recorded when it has returned; it is the first of a job's life also when an earlier run died before it. */
  async #begin(enumerator: EnumeratorLike<unknown>): Promise<void> {
    const { log } = this.parts;
    this.#begun = true;
    this.#askSize(enumerator);
    if (this.#checkpoint.started) {
      log.resumed(this.#checkpoint);
      await this.#hooks('resume', undefined);
    } else {
      log.started();
      await this.#hooks('start', undefined);
      this.#checkpoint = { ...this.#checkpoint, started: true };
    }
    await this.#save();
  }

  /** Once in a job's life, beside the first items: a count may take long. */
  #askSize(enumerator: EnumeratorLike<unknown>): void {
    if (this.#checkpoint.size !== undefined || !('size' in enumerator) || typeof enumerator.size !== 'function') return;
    const keep = (size: number | undefined) => {
      if (size !== undefined) this.#checkpoint = { ...this.#checkpoint, size };
    };
    const warn = (error: unknown) => this.parts.log.warn(`its size is not known: ${String(error)}`);
    try {
      const size = enumerator.size();
      if (size instanceof Promise) size.then(keep, warn);
      else keep(size);
    } catch (error) {
      warn(error);
    }
  }

  /** @returns undefined when the source changed and is to be built again. */
  async #iterateItems(enumerator: EnumeratorLike<unknown>): Promise<LoopEnd | undefined> {
    const { clock, definition, interruption, lock, log } = this.parts;
    const context = this.#context;
    const loop = new ItemLoop({
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
      save: () => this.#save(),
      warn: (message) => log.warn(message),
    });
    try {
      return await loop.run();
    } catch (error) {
      if (!(error instanceof SourceChangedError) || this.#position.finished > 0 || this.#sourceChanges++ > 0)
        throw error;
      this.#onChange(error);
      return undefined;
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
    if (ending.type === 'complete' || ending.type === 'stop') return this.#complete();
    if (interruption.pending?.reason === 'lockLost') return this.#lost();
    if (interruption.cancelled) return this.#cancelled(interruption.cancelled);
    if (ending.type === 'interrupt') return this.#begun ? this.#interrupted(ending.interruption) : { type: 'wait' };
    // Work that was told to stop at once may say so by throwing; that is no failure of its item.
    if (interruption.signal.aborted && interruption.pending) return this.#interrupted(interruption.pending);
    const control = controlErrorOf(ending.error);
    if (control) {
      const interrupted = await this.#interrupted({ reason: 'bullmq' });
      return interrupted.type === 'lost'
        ? interrupted
        : { type: 'control', error: ending.error, control, deferred: this.#guard.deferred };
    }
    return this.#failed(ending.error);
  }

  async #complete(): Promise<Settlement> {
    const { job, log } = this.parts;
    const silent = this.#context.stopped?.silent === true;
    if (!(await this.#saveLast({ progress: 100, ended: endedNow('complete', job) }))) return this.#lost();
    let result: unknown = this.#result();
    try {
      const returned = silent ? undefined : await this.#untilAbandoned(this.#hooks('complete', undefined));
      if (returned !== undefined) result = returned;
      JSON.stringify(result);
    } catch (thrown) {
      return this.#failed(toError(thrown, `The complete hook of ${this.parts.definition.name}`));
    }
    await this.#end({ outcome: 'complete' });
    log.completed(this.#checkpoint, this.#position.finished);
    return { type: 'completed', result };
  }

  async #interrupted(interruption: Interruption): Promise<Settlement> {
    const { definition, log } = this.parts;
    const { interruptions } = this.#checkpoint;
    const yields = interruption.reason !== 'shutdown';
    if (!(await this.#saveLast({ interruptions: interruptions + 1, lastInterruption: interruption }, { yields })))
      return this.#lost();
    await this.#hooksQuietly('interrupt', interruption);
    await this.#end({ outcome: 'interrupt' });
    log.interrupted(interruption, this.#checkpoint, this.#position.finished);
    return yields
      ? { type: 'delay', delayMs: interruption.retryInMs ?? definition.options.resumeDelayMs }
      : { type: 'wait' };
  }

  async #cancelled(error: IterationCancelledError): Promise<Settlement> {
    if (!(await this.#saveLast({ ended: endedNow('cancel', this.parts.job) }))) return this.#lost();
    await this.#hooksQuietly('cancel', { error });
    await this.#end({ outcome: 'cancel', error });
    this.parts.log.cancelled(this.#checkpoint, error);
    return { type: 'failed', error, failures: 1, verdict: { type: 'fail' } };
  }

  /** R22, R23: the error reaches the job as it is; `attempts` counts failures without progress. */
  async #failed(error: Error): Promise<Settlement> {
    const { job, log, settings } = this.parts;
    const failures = this.#position.finished > 0 ? 1 : this.#checkpoint.failures + 1;
    const verdict = await judge(error, failures, { job, settings });
    const ended = verdict.type === 'fail' ? endedNow('fail', job) : undefined;
    if (error instanceof InvalidCursorError) this.#forgetUnsaved();
    if (!(await this.#saveLast({ failures, ended }))) return this.#lost();
    if (verdict.type === 'fail') await this.#hooksQuietly('fail', { error });
    await this.#end({ outcome: verdict.type, error });
    log.failed(error, verdict, this.#checkpoint);
    return { type: 'failed', error, failures, verdict };
  }

  /** What cannot be saved is not: the job goes on behind its last checkpoint. */
  #forgetUnsaved(): void {
    const { cursor, processed, state = null } = this.#checkpoint;
    this.#position.moveTo(cursor);
    this.#position.processed = processed;
    this.#context.state = state;
  }

  /** R20: another worker's, or soon: nothing of this run counts, and its hooks are the other's to call. */
  #lost(): Settlement {
    this.parts.log.lost(this.#checkpoint);
    return { type: 'lost' };
  }

  #result(): IterationResult {
    return { processed: this.#position.processed, skipped: this.#checkpoint.skipped };
  }

  async #end(end: RunEnd): Promise<void> {
    const state = JSON.stringify(this.#context.state);
    await this.#hooksQuietly('end', end);
    if (JSON.stringify(this.#context.state) !== state) await this.#saveLast({});
  }

  async #hooks<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<unknown> {
    let result: unknown;
    for (const hook of this.parts.definition.hooks[event]) result = (await hook.call(this.#context, detail)) ?? result;
    return result;
  }

  /** Hooks that must not keep the job from settling. */
  async #hooksQuietly<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<void> {
    for (const hook of this.parts.definition.hooks[event]) {
      try {
        await this.#untilAbandoned(Promise.resolve(hook.call(this.#context, detail)));
      } catch (error) {
        this.parts.log.hookFailed(hook.name, event, error);
      }
    }
  }

  /** While the run goes on: a failure to save is tried again at the next checkpoint, as long as the lock is held. */
  async #save(): Promise<void> {
    const document = this.#document({});
    try {
      if (!(await this.#store(document))) this.parts.lock.lose();
    } catch (error) {
      this.parts.log.warn(`its checkpoint could not be saved (${String(error)}); it will be with the next`);
    }
  }

  /** @returns false when the lock is lost. */
  async #saveLast(changes: Partial<Checkpoint>, options?: SaveOptions): Promise<boolean> {
    const { clock, interruption, lock, log } = this.parts;
    const document = this.#document(changes);
    const tooLate = interruption.abandoned.then(() => delay(LAST_SAVE_MS, false, { ref: false }));
    while (lock.check(clock.now())) {
      try {
        const saved = await Promise.race([this.#store(document, options), tooLate]);
        if (!saved) lock.lose();
        return saved;
      } catch (error) {
        log.warn(`its checkpoint could not be saved (${String(error)}); trying again while its lock is held`);
        await delay(SAVE_AGAIN_MS);
      }
    }
    return false;
  }

  async #store(document: Checkpoint, options?: SaveOptions): Promise<boolean> {
    const { job, lock, store } = this.parts;
    const saved = await store.save(job, lock.token, document, options);
    if (saved) job.progress = document;
    return saved;
  }

  /** The checkpoint as it is now, which becomes the run's own. */
  #document(changes: Partial<Checkpoint>): Checkpoint {
    const { processed, cursor, finished } = this.#position;
    const { state } = this.#context;
    const now = this.parts.clock.now();
    checkJson(cursor);
    if (state !== null) checkJson(state, 'state');
    const before = this.#checkpoint;
    const runtimeMs = before.runtimeMs + now - this.#startedAt;
    this.#startedAt = now;
    this.#checkpoint = {
      ...before,
      cursor,
      processed,
      runtimeMs,
      progress: percent(before, processed),
      pace: nextPace(before.pace, runtimeMs, processed),
      failures: finished > 0 ? 0 : before.failures,
      ...(state === null ? {} : { state }),
      ended: undefined,
      ...changes,
    };
    return this.#checkpoint;
  }

  /** What user code gives, or undefined when the shutdown's deadline has passed before. */
  async #untilAbandoned<T>(work: Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.parts.interruption.abandoned.then(() => undefined)]);
  }
}

/** Never falls (R29). */
function percent({ progress, size }: Checkpoint, processed: number): number {
  if (size === undefined || size === 0) return progress;
  return Math.max(progress, Math.min(100, Math.floor((processed / size) * 100)));
}
