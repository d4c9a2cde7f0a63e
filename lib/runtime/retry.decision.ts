import {
  Backoffs,
  DelayedError,
  type Job,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  type WorkerOptions,
} from 'bullmq';
import { CrashLoopError, SkipLimitError } from '../iteration.errors.js';

/** BullMQ keeps every failure's stack; so many keep the cost of a failure constant. */
const MAX_STACKTRACES = 10;

/** What BullMQ is to do with a failure. */
export type Verdict = { readonly type: 'retry'; readonly delayMs: number } | { readonly type: 'fail' };

/** BullMQ's own ways to end a run that is no failure (R22). */
export type ControlError = 'RateLimitError' | 'DelayedError' | 'WaitingError' | 'WaitingChildrenError';

const CONTROL_ERRORS = { DelayedError, WaitingError, WaitingChildrenError } as const;

export function controlErrorOf(error: Error): ControlError | undefined {
  if (error.message === 'bullmq:rateLimitExceeded') return 'RateLimitError';
  return (['DelayedError', 'WaitingError', 'WaitingChildrenError'] as const).find((name) =>
    isA(error, CONTROL_ERRORS[name]),
  );
}

/** No further try can help: what BullMQ's own error says, or ours. */
export function isUnrecoverable(error: Error): boolean {
  return isA(error, UnrecoverableError) || error instanceof CrashLoopError || error instanceof SkipLimitError;
}

/** As BullMQ knows its errors: a subclass has a name of its own, and BullMQ may be installed twice. */
function isA(error: Error, type: new (message?: string) => Error): boolean {
  return error.name === type.name || error instanceof type;
}

/**
 * Whether the job is tried again after its `failures`-th failure in a row without progress (R23), by its `attempts` and
 * `backoff`. A strategy is asked once for each failure.
 */
export async function judge(
  error: Error,
  failures: number,
  { job, settings }: { job: Job; settings: WorkerOptions['settings'] },
): Promise<Verdict> {
  if (isUnrecoverable(error) || failures >= (job.opts.attempts ?? 0)) return { type: 'fail' };
  const { backoff } = job.opts;
  if (typeof backoff !== 'object') return { type: 'retry', delayMs: 0 };
  const delayMs = await Backoffs.calculate(backoff, failures, error, job, settings?.backoffStrategy);
  return delayMs === -1 ? { type: 'fail' } : { type: 'retry', delayMs: delayMs ?? 0 };
}

/**
 * Prepares the job in memory so that BullMQ, which counts attempts over the whole life and would ask the backoff
 * strategy anew, does what the verdict says.
 */
export function prepareForFailure(job: Job, { failures, verdict }: { failures: number; verdict: Verdict }): void {
  job.stacktrace = (job.stacktrace ?? []).slice(1 - MAX_STACKTRACES);
  if (verdict.type === 'fail') {
    job.attemptsMade = Math.max(failures, job.opts.attempts ?? 0) - 1;
  } else {
    job.attemptsMade = failures - 1;
    job.opts.backoff = { type: 'fixed', delay: verdict.delayMs };
  }
}
