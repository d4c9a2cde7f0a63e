import type { Job } from 'bullmq';

/** How the parts of a job ended. */
export interface PartResults {
  readonly processed: number;
  readonly skipped: number;
  /** Ids of the parts that have failed, and why. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  /** Parts that have not ended. */
  readonly pending: number;
}

/** `unknown`: it was never added, or was removed before it had completed. */
type PartState = 'unknown' | 'pending' | 'completed' | 'failed';

/** A part, as BullMQ knows it. */
export interface PartNow {
  readonly id: string;
  readonly index: number;
  readonly job: Job | undefined;
  readonly state: PartState;
  /** Its last checkpoint, or its result. */
  readonly done: unknown;
}

/**
 * Read from the job's own fields, by one command. BullMQ's `getJobState` takes nine, and goes through the lists of waiting and
 * active jobs for each part.
 */
export function partStateOf(job: Job): PartState {
  if (!job.finishedOn) return 'pending';
  return (job.returnvalue ?? null) === null ? 'failed' : 'completed'; // a run that completes always returns its result
}

export function hasEnded({ state }: PartNow): boolean {
  return state === 'completed' || state === 'failed';
}

const REMOVED =
  'it was removed from the queue before its job knew how it ended, as queue.clean() does. A retry of the job runs the whole part again';

/** Adds up how parts ended. */
export class PartSum implements PartResults {
  processed = 0;
  skipped = 0;
  pending = 0;
  readonly failed: { id: string; reason: string }[] = [];

  count({ done, id, job, state }: PartNow): void {
    const { processed = 0, skipped = 0 } = (done ?? {}) as { processed?: number; skipped?: number };
    this.processed += processed;
    this.skipped += skipped;
    if (state === 'failed') this.failed.push({ id, reason: job ? (job.failedReason ?? '') : REMOVED });
    else if (state === 'pending') this.pending++;
  }
}
