import { DelayedError, ErrorCode, WaitingError } from 'bullmq';
import { type CheckpointStore, type OwnPause, readCheckpoint, releaseDeduplication } from '../checkpoint/index.js';
import { isOutage, LockLostError, retryWhileHeld } from '../interruption/index.js';
import {
  type ControlError,
  logLostRun,
  prepareForFailure,
  type RetryDecision,
  type RunInputs,
} from '../runtime/index.js';
import type { DeferredMove } from './deferred.moves.js';
import { park, promoteIfResumed } from './park.js';

/** What is reported to BullMQ at the end of a run, once. */
export type RunReport =
  | { readonly type: 'completed'; readonly result: unknown }
  /** To the head of the queue (Redis). */
  | { readonly type: 'wait' }
  /** After the other jobs of its priority, in `delayMs`. */
  | { readonly type: 'delay'; readonly delayMs: number }
  /** Until `resume`. `own`: the run itself asks for it. */
  | { readonly type: 'park'; readonly own?: OwnPause | undefined }
  | { readonly type: 'failed'; readonly error: Error; readonly failures: number; readonly decision: RetryDecision }
  | {
      readonly type: 'control';
      readonly error: Error;
      readonly control: ControlError;
      /** The move that the handler asked for. */
      readonly move: DeferredMove | undefined;
    }
  /** The job is another worker's. */
  | { readonly type: 'lost' };

/** Delays beyond the year 2039 lose precision in BullMQ's score: a job is delayed for a year at most, and then again. */
const MAX_DELAY_MS = 365 * 24 * 60 * 60 * 1_000;

interface ReportingRun extends Pick<RunInputs, 'control' | 'interruption' | 'job' | 'lock'> {
  readonly log: Pick<RunInputs['log'], 'lost' | 'warn'>;
  readonly store: Pick<CheckpointStore, 'controls' | 'references' | 'replaceControl'>;
}

/**
 * Reports to BullMQ: returns or throws what a BullMQ processor returns or throws for this report.
 *
 * While the backend cannot write, reporting is retried as long as the lock is held. A job whose report cannot be written
 * stays active and counts no failure: the stalled check finds it, as it finds the job of a killed worker.
 */
export async function reportToBullMQ(run: ReportingRun, report: RunReport): Promise<unknown> {
  const { job, lock } = run;
  if (report.type !== 'lost' && lock.endIfExpired()) {
    void logLostRun(run, readCheckpoint(job.progress)?.cursor ?? null);
    throw new WaitingError();
  }
  await whileHeld(run, () => move(run, report), { otherErrors: 'wait' });
  switch (report.type) {
    case 'completed':
      retryMoves(run);
      return report.result;
    case 'park':
      void promoteIfResumed(run);
      throw new DelayedError();
    case 'failed':
      prepareForFailure(job, report);
      retryMoves(run);
      throw report.error;
    case 'control':
      throw report.error;
    case 'wait':
    case 'lost': // BullMQ touches nothing
      throw new WaitingError();
    case 'delay':
      throw new DelayedError();
  }
}

/** BullMQ itself would count a completion that it could not write as a failure of the job. */
function retryMoves(run: ReportingRun): void {
  const { job } = run;
  const { moveToCompleted, moveToFailed, stacktrace } = job;
  job.moveToCompleted = (...args) => whileHeld(run, () => moveToCompleted.apply(job, args));
  job.moveToFailed = (...args) =>
    whileHeld(run, () => {
      job.stacktrace = [...(stacktrace ?? [])]; // each try adds to it
      return moveToFailed.apply(job, args);
    });
}

/**
 * @param otherErrors What happens to an error that is neither an outage nor a refusal because the job is another worker's.
 * @throws WaitingError when it is too late: BullMQ then touches nothing
 */
async function whileHeld<T>(
  { lock, log }: ReportingRun,
  write: () => Promise<T>,
  { otherErrors = 'throw' }: { readonly otherErrors?: 'throw' | 'wait' } = {},
): Promise<T> {
  let outage: unknown;
  const canRetry = (error: unknown) => {
    outage = error;
    return isOutage(error);
  };
  try {
    return await retryWhileHeld(lock, write, canRetry);
  } catch (error) {
    if (otherErrors === 'throw' && !(error instanceof LockLostError || isRefusal(error))) throw error;
    log.warn(
      `its result could not be reported to BullMQ (${String(outage ?? error)}); another worker takes over when the lock expires`,
    );
    throw new WaitingError();
  }
}

/** Whether BullMQ refuses a move because the job is no longer this run's. */
function isRefusal(error: unknown): boolean {
  const { JobLockMismatch, JobLockNotExist, JobNotExist, JobNotInState } = ErrorCode;
  return [JobLockMismatch, JobLockNotExist, JobNotExist, JobNotInState].includes(
    (error as { code?: number }).code as number,
  );
}

async function move(run: ReportingRun, report: RunReport): Promise<void> {
  const { job, lock, store } = run;
  switch (report.type) {
    case 'completed':
    case 'lost':
      return;
    case 'failed':
      if (report.decision.type === 'retry') await releaseDeduplication(job, store.references, 'delayed');
      return;
    case 'wait':
      await releaseDeduplication(job, store.references, 'waiting');
      await job.moveToWait(lock.token);
      return;
    case 'delay':
      return delayJob(run, report.delayMs);
    case 'park':
      return delayJob(run, (await park(run, report.own)) ? MAX_DELAY_MS : 0);
    case 'control':
      return moveForControl(run, report);
  }
}

async function delayJob({ job, lock, store }: ReportingRun, delayMs: number): Promise<void> {
  await releaseDeduplication(job, store.references, 'delayed');
  await job.moveToDelayed(Date.now() + Math.min(delayMs, MAX_DELAY_MS), lock.token);
}

/** The move that goes with a control error: the handler's own, or the one that the handler forgot. */
async function moveForControl(
  run: ReportingRun,
  { control, move: asked }: RunReport & { type: 'control' },
): Promise<void> {
  const { job, lock, store } = run;
  if (control === 'DelayedError' && !asked) return delayJob(run, 0);
  await releaseDeduplication(job, store.references, control === 'DelayedError' ? 'delayed' : 'waiting');
  if (control === 'RateLimitError') return; // BullMQ puts the job back itself
  if (asked) await asked();
  else if (control === 'WaitingError' || !(await job.moveToWaitingChildren(lock.token)))
    await job.moveToWait(lock.token);
}
