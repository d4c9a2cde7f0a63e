import type { Job } from 'bullmq';
import type { RunInputs } from './run.inputs.js';

const UNKNOWN = 'another worker resumes after its last checkpoint once the job is found';

/** Logs what became of the job of a run that has lost its lock: it is not always another worker's. */
export async function logLostRun(
  {
    interruption,
    job,
    log,
  }: Pick<RunInputs, 'interruption' | 'job'> & { readonly log: Pick<RunInputs['log'], 'lost'> },
  cursor: unknown,
): Promise<void> {
  log.lost(cursor, (await interruption.untilAbandoned(outcomeOf(job))) ?? UNKNOWN);
}

async function outcomeOf(job: Job): Promise<string> {
  try {
    const state = await job.getState();
    switch (state) {
      case 'active':
        return 'another worker resumes after its last checkpoint';
      case 'completed':
      case 'failed':
        return `the job is already ${state}, by something else than this run, such as job.moveToCompleted in a handler; nothing more is done`;
      case 'unknown':
        return 'the job is no longer in its queue (removed, obliterated or flushed); nothing more is done';
      default:
        return `the job is ${state}, and resumes after its last checkpoint`;
    }
  } catch {
    return UNKNOWN;
  }
}
