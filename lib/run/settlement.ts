import { DelayedError, type Job, WaitingError } from 'bullmq';
import { type ControlError, prepareForFailure, type Verdict } from './failure.js';
import type { DeferredMove } from './job.guard.js';

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

/**
 * Tells BullMQ: what a BullMQ processor returns or throws for this settlement.
 *
 * A move that fails leaves the job active, without a word to BullMQ that would count as a failure: it is found by the
 * stalled check, like that of a killed worker.
 */
export async function settle(
  { job, token, warn }: { job: Job; token: string; warn: (message: string) => void },
  settlement: Settlement,
): Promise<unknown> {
  try {
    await move(job, token, settlement);
  } catch (error) {
    warn(`it could not be put back (${String(error)}); it is taken over when its lock has ended`);
    throw new WaitingError();
  }
  switch (settlement.type) {
    case 'completed':
      return settlement.result;
    case 'failed':
      prepareForFailure(job, settlement);
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
      return delay(job, token, settlement.delayMs);
    case 'control':
      return moveForControl(job, token, settlement);
  }
}

async function delay(job: Job, token: string, delayMs: number): Promise<void> {
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
  else if (control === 'DelayedError') await delay(job, token, 0);
  else if (control === 'WaitingError' || !(await job.moveToWaitingChildren(token))) await job.moveToWait(token);
}

/**
 * BullMQ deletes a *delayed* job when one of the same deduplication id comes with `replace: true`, and a started job
 * must never be lost (R5): before it is delayed, it gives up its deduplication key, so that such a job runs besides it.
 */
async function leaveDeduplication(job: Job): Promise<void> {
  if (job.opts.deduplication?.replace) await job.removeDeduplicationKey();
}
