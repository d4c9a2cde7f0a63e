import type { Job, Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import { type LockedRun, trackLocks } from '../../lib/worker/worker.locks.js';

/** A worker that renews no lock, and one of its runs. */
function losing({ isReporting }: { readonly isReporting: boolean }) {
  const worker = {
    extendJobLocks: async (ids: string[]) => ids,
    lockManager: { untrackJob: () => {}, trackedJobs: new Map() },
  } as unknown as Worker;
  const interruption = new InterruptionRequest();
  const lock = new Lock('token', { acquiredAt: Date.now(), durationMs: 600_000, interruption, clock: Date });
  const run: LockedRun = { job: { id: '1' } as Job, lock, interruption, isReporting };
  trackLocks(worker, new Set([run]), Date);
  return {
    lock,
    renew: (ids: string[]) =>
      worker.extendJobLocks(
        ids,
        ids.map(() => 'token'),
        1_000,
      ),
  };
}

it('R20: a run whose lock BullMQ cannot renew loses the lock, and BullMQ reports it', async () => {
  const { lock, renew } = losing({ isReporting: false });
  expect(await renew(['1'])).toEqual(['1']);
  expect(lock.isHeld).toBe(false);
});

it('a renewal that overlaps the end of its run reports no error', async () => {
  const { lock, renew } = losing({ isReporting: true });
  expect(await renew(['1', 'a job that this worker no longer runs'])).toEqual([]);
  expect(lock.isHeld).toBe(true);
});
