import { isDeepStrictEqual } from 'node:util';
import { endedNow, type Position, type RunCheckpoint } from '../checkpoint/index.js';
import { tellOfSurvival } from '../crashes/index.js';
import type { IterationResult, RunEnd } from '../definition/index.js';
import { toError } from '../enumerators/contract/index.js';
import type { CommittedProgress } from '../exactly-once/index.js';
import type { Interruption } from '../interruption/index.js';
import { InvalidCursorError, type IterationCancelledError } from '../iteration.errors.js';
import {
  controlErrorOf,
  type ItemWork,
  judge,
  type LoopEnd,
  type RunContext,
  type RunHooks,
  type RunParts,
  tellOfLoss,
  type Verdict,
} from '../runtime/index.js';
import type { JobGuard } from './deferred.moves.js';
import type { Settlement } from './report.js';

/** Why the items ended: what the loop says, or what was thrown on the way. */
export type Ending =
  | Exclude<LoopEnd, { readonly type: 'interrupt' }>
  /** `begun`: the `start` or `resume` hooks were called. */
  | { readonly type: 'interrupt'; readonly interruption: Interruption; readonly begun: boolean }
  | { readonly type: 'nothing to do' }
  /** The lock, or the job's row in the user's database. */
  | { readonly type: 'lost' }
  | { readonly type: 'error'; readonly error: Error };

export interface ConclusionParts extends RunParts {
  readonly position: Position;
  readonly context: RunContext;
  readonly checkpoint: RunCheckpoint;
  readonly hooks: RunHooks;
  readonly guard: JobGuard;
  readonly work: ItemWork;
  /** The job's row, where there are transactions. */
  readonly committed: CommittedProgress | undefined;
}

/** The end of a run (R7): checkpoint, hooks, then what BullMQ is to be told, once. */
export class Conclusion {
  constructor(private readonly parts: ConclusionParts) {}

  async conclude(ending: Ending): Promise<Settlement> {
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
    if (ending.type === 'lost' || interruption.pending?.reason === 'lockLost') return this.#lost();
    if (interruption.cancelled) return this.cancelled(interruption.cancelled);
    if (ending.type === 'interrupt') {
      const untouched = !ending.begun && ending.interruption.reason === 'shutdown';
      return untouched ? { type: 'wait' } : this.#interrupted(ending.interruption);
    }
    // Work that was told to stop at once may say so by throwing; that is no failure of its item.
    if ((interruption.signal.aborted || this.parts.work.isUncertain) && interruption.pending)
      return this.#interrupted(interruption.pending);
    return this.#controlled(ending.error) ?? this.#failed(ending.error);
  }

  /** R12: without hooks. Retried by hand, it starts anew like any completed job. */
  async #nothingToDo(): Promise<Settlement> {
    const saved = await this.parts.checkpoint.saveLast({ ended: endedNow('complete', this.parts.job) });
    if (!saved) return this.#lost();
    await this.#removeCommitted();
    return { type: 'completed', result: this.#result() };
  }

  async #completed(): Promise<Settlement> {
    const { definition, interruption, job, log } = this.parts;
    const { stopped } = this.parts.context;
    if (!(await this.parts.checkpoint.saveLast({ progress: 100, ended: endedNow('complete', job), stopped })))
      return this.#lost();
    let result: unknown = this.#result();
    try {
      if (!stopped?.silent) {
        if (!interruption.isAbandoned)
          result = (await interruption.untilAbandoned(this.parts.hooks.call('complete', undefined))) ?? result;
        if (interruption.isAbandoned) return this.#interrupted({ reason: 'shutdown' }); // it is called (again) by the next run
      }
      JSON.stringify(result);
    } catch (thrown) {
      const error = toError(thrown, `The complete hook of ${definition.name}`);
      return this.#controlled(error) ?? this.#failed(error);
    }
    await this.#end({ outcome: 'complete' });
    await this.#removeCommitted();
    log.completed(this.parts.checkpoint.current, this.parts.position.finished);
    return { type: 'completed', result };
  }

  async #interrupted(interruption: Interruption): Promise<Settlement> {
    const { definition, log } = this.parts;
    const interruptions = this.parts.checkpoint.current.interruptions + 1;
    const yields = interruption.reason !== 'shutdown';
    if (!(await this.parts.checkpoint.saveLast({ interruptions, lastInterruption: interruption }, { yields })))
      return this.#lost();
    await this.parts.hooks.callQuietly('interrupt', interruption);
    await this.#end({ outcome: 'interrupt' });
    log.interrupted(interruption, this.parts.checkpoint.current, this.parts.position.finished);
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
        settlement.type === 'lost'
          ? settlement
          : { type: 'control', error, control, deferred: this.parts.guard.deferred },
      )
    );
  }

  async cancelled(error: IterationCancelledError): Promise<Settlement> {
    if (!(await this.parts.checkpoint.saveLast({ ended: endedNow('cancel', this.parts.job) }))) return this.#lost();
    await this.parts.hooks.callQuietly('cancel', { error });
    await this.#end({ outcome: 'cancel', error });
    await this.#removeCommitted();
    this.parts.log.cancelled(this.parts.checkpoint.current, error);
    return { type: 'failed', error, failures: 1, verdict: { type: 'fail' } };
  }

  /** R22, R23: the error reaches the job as it is; `attempts` counts failures without progress. */
  async #failed(error: Error): Promise<Settlement> {
    const { job, log } = this.parts;
    if (error instanceof InvalidCursorError) this.parts.checkpoint.forgetUnsaved();
    const failures = this.parts.position.hasMoved ? 1 : this.parts.checkpoint.current.failures + 1;
    const verdict = await this.#judge(error, failures);
    const ended = verdict.type === 'fail' ? endedNow('fail', job) : undefined;
    if (!(await this.parts.checkpoint.saveLast({ failures, ended }))) return this.#lost();
    if (verdict.type === 'fail') await this.parts.hooks.callQuietly('fail', { error });
    await this.#end({ outcome: verdict.type, error });
    if (verdict.type === 'fail') await this.#removeCommitted();
    log.failed(error, verdict, this.parts.checkpoint.current);
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

  /** BullMQ's checkpoint says all. A row that stays does no harm: what a later life of the job finds is emptied. */
  async #removeCommitted(): Promise<void> {
    const { committed, interruption, log } = this.parts;
    try {
      await interruption.untilAbandoned(committed?.remove(this.parts.checkpoint.current));
    } catch (error) {
      log.warn(`its row of iteration_checkpoint could not be removed: ${String(error)}`);
    }
  }

  /** R20: another worker's, or soon: nothing of this run counts, and its hooks are the other's to call. */
  #lost(): Settlement {
    void tellOfSurvival(this.parts.checkpoint.current.run, this.parts);
    void tellOfLoss(this.parts, this.parts.checkpoint.current.cursor);
    return { type: 'lost' };
  }

  /** What a hook makes of the state is saved as well; if it cannot be, the job settles all the same (R7). */
  async #end(end: RunEnd): Promise<void> {
    await this.parts.hooks.callQuietly('end', end);
    const { ended, failures, state = null } = this.parts.checkpoint.current;
    if (isDeepStrictEqual(this.parts.context.state, state)) return;
    try {
      await this.parts.checkpoint.saveLast({ ended, failures });
    } catch (error) {
      this.parts.log.warn(`what its hooks made of its state is not saved: ${String(error)}`);
    }
  }

  #result(): IterationResult {
    const { processed, skipped } = this.parts.position;
    return { processed, skipped };
  }
}
