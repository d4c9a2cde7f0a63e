import { isDeepStrictEqual } from 'node:util';
import { WaitingChildrenError } from 'bullmq';
import { type Asked, type Checkpoint, type ControlRequest, endedNow, type RunEnding } from '../checkpoint/index.js';
import { reportSurvivor } from '../crashes/index.js';
import type { IterationResult, RunEnd } from '../definition/index.js';
import { toError } from '../enumerators/contract/index.js';
import { type Interruption, LockLostError } from '../interruption/index.js';
import { InvalidCursorError, IterationCancelledError } from '../iteration.errors.js';
import { controlErrorOf, decideRetry, detailOf, type LoopOutcome, logLostRun, type Run } from '../runtime/index.js';
import type { DeferredMoves } from './deferred.moves.js';
import type { RunReport } from './report.js';
import { moveToWaitForParts } from './wait.for.parts.js';

/** How a run ended. */
export type RunOutcome =
  | Exclude<LoopOutcome, { readonly type: 'interrupted' | 'complete' }>
  /** Of a job with parts: those that have failed, and what removes the others. */
  | { readonly type: 'complete'; readonly failedParts?: readonly string[]; readonly cleanUp?: () => Promise<void> }
  /** The job has parts that have not ended. */
  | { readonly type: 'waits for parts' }
  /** `isBegun`: the `start` or `resume` hooks were called. */
  | { readonly type: 'interrupted'; readonly interruption: Interruption; readonly isBegun: boolean }
  | { readonly type: 'nothing to do' }
  | { readonly type: 'failed'; readonly error: Error; readonly isBegun: boolean }
  | { readonly type: 'cancelled'; readonly asked: ControlRequest }
  /** The lock is lost, or the job's row in the user's database. */
  | { readonly type: 'lost' };

/** The end of a run (R7): checkpoint, hooks, then one report to BullMQ. */
export class FinishRun {
  /** How the run's last checkpoint says that it ended. */
  ending: Omit<RunEnding, 'at'> | undefined;

  constructor(
    private readonly run: Run,
    private readonly moves: DeferredMoves,
  ) {}

  async report(outcome: RunOutcome): Promise<RunReport> {
    try {
      return await this.#reportOf(outcome).catch((thrown: unknown) => {
        if (thrown instanceof LockLostError) throw thrown;
        return this.#failed(toError(thrown, this.run.definition.name)); // a cursor or state that cannot be saved (R8)
      });
    } catch (error) {
      if (error instanceof LockLostError) return this.#lost();
      throw error;
    }
  }

  async #reportOf(outcome: RunOutcome): Promise<RunReport> {
    const { control, executor, interruption } = this.run;
    if (outcome.type === 'nothing to do') return this.#nothingToDo();
    if (outcome.type === 'complete') return this.#completed(outcome);
    if (outcome.type === 'stopped') return this.#completed();
    if (outcome.type === 'lost' || interruption.pending?.reason === 'lockLost') return this.#lost();
    if (outcome.type === 'waits for parts') return this.#waitsForParts(); // also to be cancelled: the parts end first
    if (outcome.type === 'cancelled') return this.#cancelled(outcome.asked);
    if (interruption.cancelled) return this.#cancelled(this.#cancelledByBullMQ(interruption.cancelled));
    const asked = (await interruption.untilAbandoned(control.requestNow())) ?? control.ownPause;
    if (asked && 'type' in asked && asked.type === 'cancel') return this.#cancelled(asked);
    // Work that was asked to stop at once may throw to do so, which is no failure of its item.
    const mayThrow = interruption.signal.aborted || executor.isUncertain;
    if (outcome.type === 'failed' && !(mayThrow && interruption.pending)) return this.#failed(outcome.error);
    if (!outcome.isBegun) return asked ? { type: 'park' } : { type: 'wait' }; // the next run finds the job as it is
    const ended = outcome.type === 'interrupted' ? outcome.interruption : interruption.pending;
    return this.#interrupted(ended as Interruption, asked);
  }

  /** R12: without hooks. When it is retried by hand, it starts anew like any completed job. */
  async #nothingToDo(): Promise<RunReport> {
    await this.#flush({ outcome: 'complete' }, { ended: endedNow('complete', this.run.job) });
    await this.run.executor.release();
    return { type: 'completed', result: this.#result() };
  }

  async #completed(
    { cleanUp, failedParts }: RunOutcome & { type: 'complete' } = { type: 'complete' },
  ): Promise<RunReport> {
    const { checkpoint, context, definition, executor, hooks, interruption, job, log, progress } = this.run;
    const { stopped } = context;
    await this.#flush({ outcome: 'complete' }, { ended: endedNow('complete', job), progress: 100, stopped });
    let result: unknown = this.#result(failedParts);
    try {
      if (!stopped?.silent) {
        if (!interruption.isAbandoned)
          result = (await interruption.untilAbandoned(hooks.call('complete', undefined))) ?? result;
        if (interruption.isAbandoned) return this.#interrupted({ reason: 'shutdown' }); // the next run calls it (again)
      }
      JSON.stringify(result);
    } catch (thrown) {
      if (thrown instanceof LockLostError) throw thrown;
      return this.#failed(toError(thrown, `The complete hook of ${definition.name}`));
    }
    await this.#callEnd({ outcome: 'complete' });
    await executor.release();
    await cleanUp?.();
    log.completed(checkpoint.current, progress.finished);
    return { type: 'completed', result };
  }

  /** @param pause The operator's request that holds now. */
  async #interrupted(ended: Interruption, pause?: Asked): Promise<RunReport> {
    const { checkpoint, definition, events, hooks, log, progress } = this.run;
    const interruption: Interruption = pause ? { reason: 'pause', ...detailOf(pause) } : ended;
    const yields = interruption.reason !== 'shutdown';
    const { interruptions, running } = checkpoint.current;
    const isolates = running?.startsWith('careful') && progress.finished === 0 ? true : undefined;
    const changes = { interruptions: interruptions + 1, isolates, lastInterruption: interruption } as const;
    await this.#flush({ outcome: 'interrupt', interruption }, changes, { yields });
    events.publish('run.interrupt', () => ({ interruption, cursor: progress.cursor }));
    await hooks.callQuietly('interrupt', interruption);
    await this.#callEnd({ outcome: 'interrupt' });
    log.interrupted(interruption, checkpoint.current, progress.finished);
    if (pause) return { type: 'park', own: this.run.control.ownPause };
    if (!yields) return { type: 'wait' };
    return { type: 'delay', delayMs: interruption.retryInMs ?? definition.options.resumeDelayMs };
  }

  async #waitsForParts(): Promise<RunReport> {
    await this.#flush({ outcome: 'interrupt', interruption: { reason: 'bullmq' } }, {});
    const move = () => moveToWaitForParts(this.run);
    return { type: 'control', error: new WaitingChildrenError(), control: 'WaitingChildrenError', move };
  }

  async #cancelled(asked: ControlRequest): Promise<RunReport> {
    const { executor, hooks, job, log, checkpoint } = this.run;
    const error = new IterationCancelledError(asked.reason, asked.by);
    await this.#flush({ outcome: 'cancel' }, { ended: endedNow('cancel', job, asked) });
    await hooks.callQuietly('cancel', { error });
    await this.#callEnd({ outcome: 'cancel', error });
    await executor.release();
    log.cancelled(checkpoint.current, error);
    return { type: 'failed', error, failures: 1, decision: { type: 'fail' } };
  }

  /** R22, R23: the error reaches the job as it is; `attempts` counts failures without progress. */
  async #failed(error: Error): Promise<RunReport> {
    const { checkpoint, executor, hooks, job, log, progress } = this.run;
    const control = controlErrorOf(error);
    if (control) {
      await this.#interrupted({ reason: 'bullmq' });
      return { type: 'control', error, control, move: this.moves.last };
    }
    if (error instanceof InvalidCursorError) checkpoint.dropUnsaved();
    const failures = progress.hasMoved ? 1 : checkpoint.current.failures + 1;
    const decision = await decideRetry(error, failures, this.run);
    const isFinal = decision.type === 'fail';
    await this.#flush({ outcome: decision.type }, { failures, ended: isFinal ? endedNow('fail', job) : undefined });
    if (isFinal) await hooks.callQuietly('fail', { error });
    await this.#callEnd({ outcome: decision.type, error });
    if (isFinal) await executor.release();
    log.failed(error, decision, checkpoint.current);
    return { type: 'failed', error, failures, decision };
  }

  /** R20: the job is another worker's, or soon will be: nothing of this run counts, and its hooks are the other's to call. */
  #lost(): RunReport {
    const { checkpoint } = this.run;
    void reportSurvivor(checkpoint.current.run, this.run);
    void logLostRun(this.run, checkpoint.current.cursor);
    return { type: 'lost' };
  }

  /** Saves what the hooks made of the state. If it cannot be saved, the job ends all the same (R7). */
  async #callEnd(end: RunEnd): Promise<void> {
    const { checkpoint, context, hooks, log } = this.run;
    await hooks.callQuietly('end', end);
    const { ended, failures, state = null } = checkpoint.current;
    if (isDeepStrictEqual(context.state, state)) return;
    try {
      await this.#flush(this.ending ?? end, { ended, failures });
    } catch (error) {
      if (error instanceof LockLostError) throw error;
      log.warn(`what its hooks made of its state is not saved: ${String(error)}`);
    }
  }

  #cancelledByBullMQ({ reason }: IterationCancelledError): ControlRequest {
    return { type: 'cancel', at: new Date(this.run.clock.now()).toISOString(), reason };
  }

  /** The last checkpoint of the run. The end of the job answers every request. */
  #flush(ending: Omit<RunEnding, 'at'>, changes: Partial<Checkpoint>, { yields = false } = {}): Promise<void> {
    const { checkpoint, control } = this.run;
    this.ending = ending;
    const handled = changes.ended ? control.handledAtEnd : control.handled || undefined; // its complete hook may fail
    return checkpoint.flushFinal({ ...changes, handled }, { ending, yields });
  }

  #result(failedParts: readonly string[] = []): IterationResult {
    const { processed, skipped } = this.run.progress.current;
    return { processed, skipped, ...(failedParts.length > 0 && { failedParts }) };
  }
}
