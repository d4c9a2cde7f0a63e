import type { Job } from 'bullmq';
import {
  type ControlStore,
  changeControl,
  type JobControl,
  type OwnPause,
  readControl,
  withRequest,
} from '../checkpoint/index.js';

/** Who asks for a pause that the job's own run asks for. */
const BY = 'nestjs-iteration';

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
export async function park({ job, store }: ParkedRun, own?: OwnPause): Promise<boolean> {
  const control = await changeControl(store, job.id as string, (known) => {
    const paused = own && !isPaused(known) ? withOwnPause(known, own, job) : known;
    return isPaused(paused) && !paused.parked ? { ...paused, parked: true } : paused;
  });
  return control !== undefined && isPaused(control);
}

function withOwnPause(control: JobControl, { reason, ...changes }: OwnPause, { processedOn }: Job): JobControl {
  const at = new Date().toISOString();
  return withRequest(control, { type: 'pause', by: BY, reason, at, ...(processedOn && { processedOn }) }, changes);
}

function isPaused({ request }: JobControl): boolean {
  return request?.type === 'pause';
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
    if (!isPaused(readControl(text)) && (await job.isDelayed())) await job.promote();
  } catch (error) {
    log.warn(
      `it could not be looked at again after its pause (${String(error)}); if it was resumed meanwhile, resume it again`,
    );
  }
}
