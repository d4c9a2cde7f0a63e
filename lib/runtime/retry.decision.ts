import {
  Backoffs,
  DelayedError,
  type Job,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  type WorkerOptions,
} from 'bullmq';
import { toError } from '../enumerators/contract/index.js';
import type { InterruptionRequest } from '../interruption/index.js';
import { CrashLoopError, PartFailedError, SkipLimitError } from '../iteration.errors.js';

/** BullMQ keeps the stack of every failure; with only the last ones, the cost of a failure stays constant. */
const MAX_STACKTRACES = 10;

/** What BullMQ does with a failure. */
export type RetryDecision = { readonly type: 'retry'; readonly delayMs: number } | { readonly type: 'fail' };

interface DecidingRun {
  readonly job: Job;
  readonly interruption: Pick<InterruptionRequest, 'untilAbandoned'>;
  readonly log: { warn(message: string): void };
  readonly workerSettings: WorkerOptions['settings'];
}

/** BullMQ's own errors that end a run and are not failures (R22). */
export type ControlError = 'RateLimitError' | 'DelayedError' | 'WaitingError' | 'WaitingChildrenError';

const CONTROL_ERRORS = { DelayedError, WaitingError, WaitingChildrenError } as const;

export function controlErrorOf(error: Error): ControlError | undefined {
  if (error.message === 'bullmq:rateLimitExceeded') return 'RateLimitError';
  return (['DelayedError', 'WaitingError', 'WaitingChildrenError'] as const).find((name) =>
    isA(error, CONTROL_ERRORS[name]),
  );
}

/** Whether no further try can help: says BullMQ's own error, or ours. */
export function isUnrecoverable(error: Error): boolean {
  const ours = [CrashLoopError, PartFailedError, SkipLimitError];
  return isA(error, UnrecoverableError) || ours.some((type) => error instanceof type);
}

/** By name too: BullMQ may be installed twice. */
function isA(error: Error, type: new (message?: string) => Error): boolean {
  return error.name === type.name || error instanceof type;
}

/**
 * Decides whether the job is retried after its `failures`-th failure in a row without progress (R23), by its `attempts`
 * and `backoff`. A backoff strategy is called once for each failure. It is the user's: one that fails or never answers keeps no
 * job from its retry.
 */
export async function decideRetry(
  error: Error,
  failures: number,
  { interruption, job, log, workerSettings: settings }: DecidingRun,
): Promise<RetryDecision> {
  const atOnce: RetryDecision = { type: 'retry', delayMs: 0 };
  try {
    return (await interruption.untilAbandoned(decide(error, failures, { job, settings }))) ?? atOnce;
  } catch (thrown) {
    log.warn(`its backoff failed (${toError(thrown, 'The backoff strategy').message}); it is retried at once`);
    return atOnce;
  }
}

async function decide(
  error: Error,
  failures: number,
  { job, settings }: { job: Job; settings: WorkerOptions['settings'] },
): Promise<RetryDecision> {
  const { discarded } = job as { readonly discarded?: boolean }; // by job.discard() of BullMQ 5
  if (discarded || isUnrecoverable(error) || failures >= (job.opts.attempts ?? 0)) return { type: 'fail' };
  const { backoff } = job.opts;
  if (typeof backoff !== 'object') return { type: 'retry', delayMs: 0 };
  const delayMs = await Backoffs.calculate(backoff, failures, error, job, settings?.backoffStrategy);
  return delayMs === -1 ? { type: 'fail' } : { type: 'retry', delayMs: delayMs ?? 0 };
}

/**
 * Prepares the job in memory so that BullMQ follows the decision. BullMQ counts attempts over the job's whole life, and
 * would call the backoff strategy a second time.
 */
export function prepareForFailure(
  job: Job,
  { failures, decision }: { failures: number; decision: RetryDecision },
): void {
  job.stacktrace = (job.stacktrace ?? []).slice(1 - MAX_STACKTRACES);
  if (decision.type === 'fail') {
    job.attemptsMade = Math.max(failures, job.opts.attempts ?? 0) - 1;
  } else {
    job.attemptsMade = failures - 1;
    job.opts.backoff = { type: 'fixed', delay: decision.delayMs };
  }
}
