import type { Job } from 'bullmq';
import { readCheckpoint } from './checkpoint.js';

/**
 * What BullMQ keeps that points at a job: its deduplication key and its scheduler. BullMQ takes a job that waits for one that
 * has not started, and then drops, moves or deletes; a started job that was put back must be spared that (R5).
 */
export interface JobReferences {
  /**
   * Frees the deduplication key, so that the next job of its id is added. That job supersedes one that BullMQ keeps for the end
   * of this one.
   */
  releaseDeduplication(job: DeduplicatedJob): Promise<void>;

  /** Gives the job its deduplication key back, unless another job was added in between. */
  reclaimDeduplication(job: DeduplicatedJob): Promise<void>;

  /** The job of the same deduplication id that was put back and has not ended yet. */
  predecessor(job: DeduplicatedJob): Promise<string | undefined>;

  /** Makes a job scheduler forget that this job is its latest: to update or remove the scheduler would delete it. */
  detachScheduler(job: { readonly id: string; readonly schedulerId: string }): Promise<void>;
}

export interface DeduplicatedJob {
  readonly id: string;
  readonly deduplicationId: string;
}

/** A job of which BullMQ keeps the last trigger that comes while it is active. */
export function keepingLast(job: Job): DeduplicatedJob | undefined {
  const { deduplication } = job.opts;
  if (!deduplication?.keepLastIfActive) return undefined;
  return { id: job.id as string, deduplicationId: deduplication.id };
}

/**
 * A trigger that comes while a job waits for its first run is covered by that run; one that comes later is not. A stalled job
 * without a checkpoint may have started.
 */
export function hasStarted(job: Job): boolean {
  return (readCheckpoint(job.progress)?.run ?? 0) > 0 || job.stalledCounter > 0;
}

/** A job whose predecessor has not ended looks again after this time. */
export const LOOK_AGAIN_MS = 1_000;

interface ReferencedRun {
  readonly job: Job;
  readonly store: { readonly references: JobReferences };
  readonly log: { warn(message: string): void; waitsFor(predecessor: string, deduplicationId: string): void };
}

/**
 * Whether a job must wait for another job of its deduplication id: one that was put back, and released the id's key so that
 * this one could be added. A job that runs again takes the key back: BullMQ then keeps the last trigger itself.
 */
export async function mustWait({ job, log, store }: ReferencedRun): Promise<boolean> {
  const keeping = keepingLast(job);
  if (!keeping) return false;
  const started = hasStarted(job);
  try {
    if (started) {
      await store.references.reclaimDeduplication(keeping);
      return false;
    }
    const predecessor = await store.references.predecessor(keeping);
    if (predecessor && job.attemptsStarted <= 1) log.waitsFor(predecessor, keeping.deduplicationId);
    return predecessor !== undefined;
  } catch (error) {
    log.warn(`its deduplication key could not be read (${String(error)})`);
    return !started;
  }
}

/**
 * R5 for job schedulers: updating or removing a scheduler deletes its latest job while that job waits, started or not. Most
 * jobs are not the latest once they are active. The last one of `limit` or `endDate` is, so it is detached before its first
 * item.
 */
export async function detachScheduler({ job, log, store }: ReferencedRun): Promise<void> {
  const { id, repeatJobKey: schedulerId } = job;
  if (!schedulerId) return;
  try {
    await store.references.detachScheduler({ id: id as string, schedulerId });
  } catch (error) {
    log.warn(`its scheduler "${schedulerId}" could still delete it when it is updated or removed (${String(error)})`);
  }
}

/**
 * R5 for deduplication: a started job is never lost, nor what was added while it was put back. BullMQ deletes or moves a
 * *delayed* job when one of the same id comes with `replace` or `reschedule`. With `keepLastIfActive` it drops a job that
 * comes while the first one is not active. So a job that is put back releases its deduplication key first.
 */
export async function releaseDeduplication(
  job: Job,
  references: JobReferences,
  to: 'waiting' | 'delayed',
): Promise<void> {
  const { deduplication } = job.opts;
  const keeping = keepingLast(job);
  if (keeping) {
    if (hasStarted(job)) await references.releaseDeduplication(keeping);
  } else if (to === 'delayed' && (deduplication?.replace || deduplication?.reschedule)) {
    await job.removeDeduplicationKey();
  }
}
