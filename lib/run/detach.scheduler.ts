import type { RunParts } from '../runtime/index.js';

/**
 * R5 for job schedulers: to update or remove a scheduler deletes its latest job while that waits, started or not. Most are
 * not the latest once they are active; the last one of `limit` or `endDate` is, and it is detached before its first item.
 */
export async function leaveScheduler({ job, log, store }: Pick<RunParts, 'job' | 'log' | 'store'>): Promise<void> {
  const { id, repeatJobKey: schedulerId } = job;
  if (!schedulerId) return;
  try {
    await store.references.detachScheduler({ id: id as string, schedulerId });
  } catch (error) {
    log.warn(`its scheduler "${schedulerId}" could still delete it when it is updated or removed (${String(error)})`);
  }
}
