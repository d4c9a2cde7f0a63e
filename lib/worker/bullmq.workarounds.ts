import { setTimeout as delay } from 'node:timers/promises';
import type { Job, Queue, Worker } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';

/*
 * Patches of BullMQ's internals that BullMQ 5.81.5 and 6.7.0 both need; what only one of them needs is in lib/bullmq.
 * test/worker/bullmq.workarounds.test.ts fails when BullMQ no longer needs one of them, where that shows without a race.
 */

/** How long after a failed fetch the next one follows. */
const FETCH_AGAIN_MS = 500;

/**
 * Makes a worker fetch nothing once `stopping` aborts. A closing worker with idle slots fetches once more, and would find
 * the job that a run just put back (R16). And after a failed fetch it waits: BullMQ itself would not.
 */
export function stopFetching(worker: Worker, stopping: AbortSignal): void {
  const internals = worker as unknown as { moveToActive(...args: unknown[]): Promise<Job | undefined> };
  const fetch = internals.moveToActive.bind(worker);
  internals.moveToActive = async (...args) => {
    if (stopping.aborted) return undefined;
    try {
      return await fetch(...args);
    } catch (error) {
      await delay(FETCH_AGAIN_MS, undefined, { signal: stopping }).catch(() => {}); // stopped
      throw error;
    }
  };
}

interface Renewal {
  readonly id: string;
  readonly token: string;
  /** When the renewing command was sent. */
  readonly sentAt: number;
  readonly isLost: boolean;
}

/**
 * Listens to the renewals of locks: BullMQ reports neither which locks it renews, nor when it sent the command.
 *
 * @param listener Returns false for a renewal that nobody needs any more: BullMQ would report its loss as an error.
 */
export function listenToRenewals(worker: Worker, now: () => number, listener: (renewal: Renewal) => boolean): void {
  const extend = worker.extendJobLocks.bind(worker);
  worker.extendJobLocks = async (ids, tokens, duration) => {
    const sentAt = now();
    const lost = await extend(ids, tokens, duration);
    const needed = ids.filter((id, index) =>
      listener({ id, token: tokens[index] as string, sentAt, isLost: lost.includes(id) }),
    );
    return lost.filter((id) => needed.includes(id));
  };
}

/**
 * Keeps a job's lock renewed as long as a run of this worker holds it. After an outage a worker may take a job again whose
 * earlier run has not ended yet. BullMQ tracks one lock for each job: when the earlier run ends, it would stop to renew
 * the lock of the later one.
 */
export function keepLatestLock(worker: Worker, isHeld: (id: string, token: string | undefined) => boolean): void {
  const { lockManager } = worker as unknown as {
    lockManager: { untrackJob(id: string): void; trackedJobs: ReadonlyMap<string, { token: string }> };
  };
  const untrack = lockManager.untrackJob.bind(lockManager);
  lockManager.untrackJob = (id) => {
    if (!isHeld(id, lockManager.trackedJobs.get(id)?.token)) untrack(id);
  };
}

/** Disconnects without waiting for a backend that does not answer: BullMQ's `close` waits for Redis without limit. */
export async function disconnect(owner: Worker | Queue, withinMs: number): Promise<void> {
  await Promise.race([bullmqOf(owner)?.disconnect(owner), delay(withinMs, undefined, { ref: false })]).catch(() => {});
}
