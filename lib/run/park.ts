import type { Job } from 'bullmq';
import { type ControlStore, changeControl, readControl } from '../checkpoint/index.js';

interface ParkedRun {
  readonly job: Job;
  readonly store: ControlStore;
  readonly log: { warn(message: string): void };
}

/**
 * Notes that a paused job is about to be delayed until `resume`, which promotes it then.
 *
 * @returns false when the pause was withdrawn before: nothing is to be waited for.
 */
export async function park({ job, store }: ParkedRun): Promise<boolean> {
  const control = await changeControl(store, job.id as string, (known) =>
    known.request?.type === 'pause' && !known.parked ? { ...known, parked: true } : known,
  );
  return control?.request?.type === 'pause';
}

/** The job runs again. */
export async function unpark({ job, log, store }: ParkedRun): Promise<void> {
  try {
    await changeControl(store, job.id as string, ({ parked: _, ...known }) => known);
  } catch (error) {
    log.warn(`that it runs again could not be noted (${String(error)})`);
  }
}

/** `resume` may have come just before the job was delayed, and found it active. */
export async function promoteIfResumed({ job, log, store }: ParkedRun): Promise<void> {
  try {
    const [text] = await store.controls([job.id as string]);
    if (readControl(text).request?.type !== 'pause' && (await job.isDelayed())) await job.promote();
  } catch (error) {
    log.warn(
      `it could not be looked at again after its pause (${String(error)}); if it was resumed meanwhile, resume it again`,
    );
  }
}
