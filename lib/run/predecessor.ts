import { hasStarted, keepingLast } from '../checkpoint/index.js';
import type { RunParts } from '../runtime/index.js';

/** A job whose predecessor has not ended looks again after so long. */
export const LOOK_AGAIN_MS = 1_000;

/**
 * Whether a job must wait for another of its deduplication id, one that was put back and gave up the id's key so that this
 * one could be added. A job that runs again takes the key back: BullMQ then keeps the last trigger itself.
 */
export async function mustWait({ job, log, store }: Pick<RunParts, 'job' | 'log' | 'store'>): Promise<boolean> {
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
