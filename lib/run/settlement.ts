import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, ErrorCode, type Job, WaitingError } from 'bullmq';
import type { Clock } from '../clock.js';
import { type ControlError, prepareForFailure, type Verdict } from './failure.js';
import type { DeferredMove } from './job.guard.js';
import type { Lock } from './lock.js';
import { isOutage } from './outage.js';
import type { RunLog } from './run.log.js';

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
  readonly log: Pick<RunLog, 'warn'>;
}

const TELL_AGAIN_MS = 250;

/**
 * Tells BullMQ: what a BullMQ processor returns or throws for this settlement.
 *
 * While the backend cannot write, BullMQ is told again as long as the lock is held. What cannot be told leaves the job
 * active, without a word that would count as a failure: it is found by the stalled check, like that of a killed worker.
 */
export async function settle(parts: SettleParts, settlement: Settlement): Promise<unknown> {
  const { clock, job, lock, log } = parts;
  if (settlement.type !== 'lost' && !lock.check(clock.now())) {
    log.warn('its lock was lost at its end; another worker carries on behind its last checkpoint');
    throw new WaitingError();
  }
  await whileHeld(parts, () => move(job, lock.token, settlement), { orElse: 'wait' });
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

async function move(job: Job, token: string, settlement: Settlement): Promise<void> {
  switch (settlement.type) {
    case 'completed':
    case 'lost':
      return;
    case 'failed':
      if (settlement.verdict.type === 'retry') await leaveDeduplication(job);
      return;
    case 'wait':
      await job.moveToWait(token);
      return;
    case 'delay':
      return moveBehind(job, token, settlement.delayMs);
    case 'control':
      return moveForControl(job, token, settlement);
  }
}

async function moveBehind(job: Job, token: string, delayMs: number): Promise<void> {
  await leaveDeduplication(job);
  await job.moveToDelayed(Date.now() + Math.min(delayMs, MAX_DELAY_MS), token);
}

/** The move that goes with a control error: the handler's own, or the one that it forgot. */
async function moveForControl(
  job: Job,
  token: string,
  { control, deferred }: Settlement & { type: 'control' },
): Promise<void> {
  if (control === 'RateLimitError') return; // BullMQ puts the job back itself
  if (control === 'DelayedError') await leaveDeduplication(job);
  if (deferred) await deferred();
  else if (control === 'DelayedError') await moveBehind(job, token, 0);
  else if (control === 'WaitingError' || !(await job.moveToWaitingChildren(token))) await job.moveToWait(token);
}

/**
 * BullMQ deletes a *delayed* job when one of the same deduplication id comes with `replace: true`, and a started job
 * must never be lost (R5): before it is delayed, it gives up its deduplication key, so that such a job runs besides it.
 */
async function leaveDeduplication(job: Job): Promise<void> {
  if (job.opts.deduplication?.replace) await job.removeDeduplicationKey();
}
