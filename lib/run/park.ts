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
  readonly control: { isPaused(control: JobControl): boolean };
  readonly store: ControlStore;
  readonly log: { warn(message: string): void };
}

/**
 * Notes that a paused job is about to be delayed until `resume`, which promotes it then.
 *
 * @param own The run itself asks for the pause.
 * @returns false when the pause was withdrawn before: nothing is to be waited for.
 */
export async function park({ control: run, job, store }: ParkedRun, own?: OwnPause): Promise<boolean> {
  const written = await changeControl(store, job.id as string, (known) => {
    const control = own ? withOwnPause(known, own, { isPaused: run.isPaused(known), job }) : known;
    return run.isPaused(control) && !control.parked ? { ...control, parked: true } : control;
  });
  return written !== undefined && run.isPaused(written);
}

function withOwnPause(
  control: JobControl,
  { reason, ...changes }: OwnPause,
  { isPaused, job: { processedOn } }: { readonly isPaused: boolean; readonly job: Job },
): JobControl {
  if (isPaused) return { ...control, ...changes };
  const at = new Date().toISOString();
  return withRequest(control, { type: 'pause', by: BY, reason, at, ...(processedOn && { processedOn }) }, changes);
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
export async function promoteIfResumed({ control, job, log, store }: ParkedRun): Promise<void> {
  try {
    const [text] = await store.controls([job.id as string]);
    if (!control.isPaused(readControl(text)) && (await job.isDelayed())) await job.promote();
  } catch (error) {
    log.warn(
      `it could not be looked at again after its pause (${String(error)}); if it was resumed meanwhile, resume it again`,
    );
  }
}
