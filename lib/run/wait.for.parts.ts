import type { RunInputs } from '../runtime/index.js';

const LOOK_AGAIN_MS = 250;

/**
 * BullMQ makes the job wait for its parts, without a worker. If BullMQ knows of none that the job waits for, they have ended by
 * now, or one was retried by hand: the job looks again soon, and leaves its worker to others meanwhile.
 */
export async function moveToWaitForParts({ job, lock }: Pick<RunInputs, 'job' | 'lock'>): Promise<void> {
  if (await job.moveToWaitingChildren(lock.token)) return;
  await job.moveToDelayed(Date.now() + LOOK_AGAIN_MS, lock.token);
}
