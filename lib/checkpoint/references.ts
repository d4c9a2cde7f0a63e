import type { Job } from 'bullmq';
import { readCheckpoint } from './checkpoint.js';

/**
 * What BullMQ keeps that points at a job: its deduplication key and its scheduler. BullMQ takes a job that waits for one that
 * has not started, and then drops, moves or deletes; a started job that was put back must be spared that (R5).
 */
export interface JobReferences {
  /**
   * Makes the deduplication key point at no job, so that the next job of its id is added. A job that was kept for the end of
   * this one is superseded by it.
   */
  releaseDeduplication(job: DeduplicatedJob): Promise<void>;

  /** Points the deduplication key at the job again, unless another job was added in between. */
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

/** No job has this id: BullMQ takes a key that points at it for a stale one, and lets the next job have it. */
export function released(id: string): string {
  return `interrupted:${id}`;
}

/** A job of which BullMQ keeps the last trigger that comes while it is active. */
export function keepingLast(job: Job): DeduplicatedJob | undefined {
  const { deduplication } = job.opts;
  if (!deduplication?.keepLastIfActive) return undefined;
  return { id: job.id as string, deduplicationId: deduplication.id };
}

/** A trigger that comes while a job waits for its first run is covered by that run; one that comes later is not. */
export function hasStarted(job: Job): boolean {
  return (readCheckpoint(job.progress)?.run ?? 0) > 0;
}
