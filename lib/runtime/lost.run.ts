import type { Job } from 'bullmq';
import type { InterruptionRequest } from '../interruption/index.js';
import type { RunLog } from './run.log.js';

interface LossParts {
  readonly interruption: InterruptionRequest;
  readonly job: Job;
  readonly log: Pick<RunLog, 'lost'>;
}

/** Reports, of a run that has lost its lock, what became of the job: it is not always another worker's. */
export async function tellOfLoss({ interruption, job, log }: LossParts, cursor: unknown): Promise<void> {
  log.lost(cursor, (await interruption.untilAbandoned(whatBecameOf(job))) ?? UNKNOWN);
}

const UNKNOWN = 'another worker carries on after its last checkpoint once it is found';

async function whatBecameOf(job: Job): Promise<string> {
  try {
    const state = await job.getState();
    switch (state) {
      case 'active':
        return 'another worker carries on after its last checkpoint';
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
