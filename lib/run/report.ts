import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, ErrorCode, type Job, WaitingError } from 'bullmq';
import { hasStarted, type JobReferences, keepingLast, readCheckpoint } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import { type InterruptionRequest, isOutage, type Lock } from '../interruption/index.js';
import { type ControlError, prepareForFailure, type RunLog, tellOfLoss, type Verdict } from '../runtime/index.js';
import type { DeferredMove } from './deferred.moves.js';

/** What BullMQ is told at the end of a run, once. */
export type Settlement =
  | { readonly type: 'completed'; readonly result: unknown }
  /** To the head of the queue (Redis). */
  | { readonly type: 'wait' }
  /** Behind the others of its priority, after `delayMs`. */
  | { readonly type: 'delay'; readonly delayMs: number }
  | { readonly type: 'failed'; readonly error: Error; readonly failures: number; readonly verdict: Verdict }
  | {
      readonly type: 'control';
      readonly error: Error;
      readonly control: ControlError;
      readonly deferred: DeferredMove | undefined;
    }
  /** The job is not ours any more. */
  | { readonly type: 'lost' };

/** Delays beyond the year 2039 lose precision in BullMQ's score: a job is parked for a year at most, and parked again. */
const MAX_DELAY_MS = 365 * 24 * 60 * 60 * 1_000;

/** What a settlement is told with. */
export interface SettleParts {
  readonly job: Job;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly interruption: InterruptionRequest;
  readonly log: Pick<RunLog, 'warn' | 'lost'>;
  readonly references: JobReferences;
}

const TELL_AGAIN_MS = 250;

/**
 * Tells BullMQ: what a BullMQ processor returns or throws for this settlement.
 *
 * While the backend cannot write, BullMQ is told again as long as the lock is held. What cannot be told leaves the job
 * active, without a word that would count as a failure: it is found by the stalled check, like that of a killed worker.
 */
export async function settle(parts: SettleParts, settlement: Settlement): Promise<unknown> {
  const { clock, job, lock } = parts;
  if (settlement.type !== 'lost' && !lock.check(clock.now())) {
    void tellOfLoss(parts, readCheckpoint(job.progress)?.cursor ?? null);
    throw new WaitingError();
  }
  await whileHeld(parts, () => move(parts, settlement), { orElse: 'wait' });
  switch (settlement.type) {
    case 'completed':
      tellSurely(parts);
      return settlement.result;
    case 'failed':
      prepareForFailure(job, settlement);
      tellSurely(parts);
      throw settlement.error;
    case 'control':
      throw settlement.error;
    case 'wait':
    case 'lost': // BullMQ touches nothing
      throw new WaitingError();
    case 'delay':
      throw new DelayedError();
  }
}

/** BullMQ itself would count a completion that it could not write as a failure of the job. */
function tellSurely(parts: SettleParts): void {
  const { job } = parts;
  const { moveToCompleted, moveToFailed, stacktrace = [] } = job;
  job.moveToCompleted = (...args) => whileHeld(parts, () => moveToCompleted.apply(job, args));
  job.moveToFailed = (...args) =>
    whileHeld(parts, () => {
      job.stacktrace = [...(stacktrace ?? [])]; // each try adds to it
      return moveToFailed.apply(job, args);
    });
}

/**
 * @param orElse What becomes of an error that says neither that it is too early nor that it is too late.
 * @throws WaitingError, of which BullMQ touches nothing, when it is too late.
 */
async function whileHeld<T>(
  { clock, lock, log }: SettleParts,
  tell: () => Promise<T>,
  { orElse = 'throw' }: { readonly orElse?: 'throw' | 'wait' } = {},
): Promise<T> {
  for (;;) {
    try {
      return await tell();
    } catch (error) {
      if (isOutage(error)) {
        await delay(TELL_AGAIN_MS);
        if (lock.check(clock.now())) continue;
      } else if (orElse === 'throw' && !isRefusal(error)) {
        throw error;
      }
      log.warn(`its end could not be told to BullMQ (${String(error)}); it is taken over when its lock has ended`);
      throw new WaitingError();
    }
  }
}

/** Whether the job is not this run's any more. */
function isRefusal(error: unknown): boolean {
  const { JobLockMismatch, JobLockNotExist, JobNotExist, JobNotInState } = ErrorCode;
  return [JobLockMismatch, JobLockNotExist, JobNotExist, JobNotInState].includes(
    (error as { code?: number }).code as number,
  );
}

async function move(parts: SettleParts, settlement: Settlement): Promise<void> {
  const { job, lock } = parts;
  switch (settlement.type) {
    case 'completed':
    case 'lost':
      return;
    case 'failed':
      if (settlement.verdict.type === 'retry') await leaveDeduplication(parts, 'delayed');
      return;
    case 'wait':
      await leaveDeduplication(parts, 'waiting');
      await job.moveToWait(lock.token);
      return;
    case 'delay':
      return moveBehind(parts, settlement.delayMs);
    case 'control':
      return moveForControl(parts, settlement);
  }
}

async function moveBehind(parts: SettleParts, delayMs: number): Promise<void> {
  const { job, lock } = parts;
  await leaveDeduplication(parts, 'delayed');
  await job.moveToDelayed(Date.now() + Math.min(delayMs, MAX_DELAY_MS), lock.token);
}

/** The move that goes with a control error: the handler's own, or the one that it forgot. */
async function moveForControl(
  parts: SettleParts,
  { control, deferred }: Settlement & { type: 'control' },
): Promise<void> {
  const { job, lock } = parts;
  if (control === 'DelayedError' && !deferred) return moveBehind(parts, 0);
  await leaveDeduplication(parts, control === 'DelayedError' ? 'delayed' : 'waiting');
  if (control === 'RateLimitError') return; // BullMQ puts the job back itself
  if (deferred) await deferred();
  else if (control === 'WaitingError' || !(await job.moveToWaitingChildren(lock.token)))
    await job.moveToWait(lock.token);
}

/**
 * A started job must never be lost (R5), nor what was added while it was put back. BullMQ deletes or moves a *delayed* job
 * when one of the same deduplication id comes with `replace` or `reschedule`, and with `keepLastIfActive` it drops the one
 * that comes while the job is not active: before such a job is put back, it gives up its deduplication key.
 */
async function leaveDeduplication({ job, references }: SettleParts, to: 'waiting' | 'delayed'): Promise<void> {
  const { deduplication } = job.opts;
  const keeping = keepingLast(job);
  if (keeping) {
    if (hasStarted(job)) await references.releaseDeduplication(keeping);
  } else if (to === 'delayed' && (deduplication?.replace || deduplication?.reschedule)) {
    await job.removeDeduplicationKey();
  }
}
