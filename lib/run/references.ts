import type { Job } from 'bullmq';
import { type CheckpointStore, hasStarted, type JobReferences, keepingLast } from '../checkpoint/index.js';
import type { RunInputs } from '../runtime/index.js';

/** A job whose predecessor has not ended looks again after this time. */
export const LOOK_AGAIN_MS = 1_000;

type ReferencedRun = Pick<RunInputs, 'job' | 'log'> & { readonly store: Pick<CheckpointStore, 'references'> };

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
