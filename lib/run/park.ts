import type { Job } from 'bullmq';
import { type ControlStore, changeControl, type OwnPause, withRequest } from '../checkpoint/index.js';
import type { RunControl } from '../runtime/index.js';

/** Who asks for a pause that the job's own run asks for. */
const BY = 'nestjs-iteration';

interface ParkedRun {
  readonly job: Job;
  readonly control: Pick<RunControl, 'isPaused' | 'isPausedNow' | 'read' | 'requestTo' | 'wholeId'>;
  readonly store: ControlStore;
  readonly log: { warn(message: string): void };
}

/**
 * Notes that a paused job is about to be delayed until `resume`, which promotes it then.
 *
 * @param own The pause that the run itself asks for. A part asks for one of the whole job.
 * @returns false when the pause was withdrawn before: nothing is to be waited for.
 */
export async function park(run: ParkedRun, own?: OwnPause): Promise<boolean> {
  const { control, job, store } = run;
  if (own) await requestPause(run, own);
  const { processedOn: parked = 0 } = job;
  const written = await changeControl(store, job.id as string, (known) =>
    control.isPaused(known) && known.parked !== parked ? { ...known, parked } : known,
  );
  if (written && control.wholeId !== job.id) await control.read(); // `resume` of the whole job may have looked for parked parts before
  return written !== undefined && control.isPaused(written);
}

async function requestPause({ control, job, store }: ParkedRun, { reason, ...changes }: OwnPause): Promise<void> {
  const { id, processedOn } = job;
  const began = control.wholeId === id && processedOn !== undefined ? { processedOn } : {};
  await changeControl(store, control.wholeId, (known) => {
    if (control.requestTo(known)) return { ...known, ...changes };
    const at = new Date().toISOString();
    return withRequest(known, { type: 'pause', by: BY, reason, at, ...began }, changes);
  });
  await control.read();
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
export async function promoteIfResumed({ control, job, log }: ParkedRun): Promise<void> {
  try {
    await control.read();
    if (!control.isPausedNow && (await job.isDelayed())) await job.promote();
  } catch (error) {
    log.warn(
      `it could not be looked at again after its pause (${String(error)}); if it was resumed meanwhile, resume it again`,
    );
  }
}
