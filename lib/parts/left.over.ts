import type { Job, Queue } from 'bullmq';
import { type ControlRequest, readCheckpoint } from '../checkpoint/index.js';
import { partOf } from './part.option.js';

/**
 * A worker that was cut off from its backend while it added parts may add them again, when another worker has completed their job
 * by now. Looked for before the first run of a part.
 *
 * @returns the request that ends such a part.
 */
export async function endOfLeftOver(job: Job, queue: Pick<Queue, 'getJob'>): Promise<ControlRequest | undefined> {
  const part = partOf(job);
  if (!part || (readCheckpoint(job.progress)?.run ?? 0) > 0) return undefined;
  const whole = (await queue.getJob(part.of)) as Job | undefined;
  const { life = 0, settled } = readCheckpoint(whole?.progress) ?? {};
  const isSettled = settled !== undefined && !settled.failedParts.includes(job.id as string); // a failed part may be retried
  if (whole?.timestamp === part.addedAt && life === part.life && !isSettled) return undefined;
  return { type: 'cancel', at: new Date().toISOString(), reason: 'its job has ended without it', ofWhole: true };
}
