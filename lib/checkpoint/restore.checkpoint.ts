import type { Job } from 'bullmq';
import { type Checkpoint, type Ended, firstCheckpoint, readCheckpoint } from './checkpoint.js';
import {
  type ControlRequest,
  type JobControl,
  NOTHING_ASKED,
  pendingRestart,
  type RestartRequest,
} from './job.control.js';

/** What a run begins with. */
export interface Restored {
  readonly checkpoint: Checkpoint;
  /** The job has none yet: it starts from the beginning, or at the cursor that `enqueue` was given. */
  readonly isNew?: boolean;
  /** It had failed, and is retried by hand. */
  readonly isRetried?: boolean;
  /** Progress that is not a checkpoint, from before the library was adopted. It is dropped. */
  readonly foreign?: unknown;
  /** What operators ask of the job now. A cancellation that was saved, but never reported to BullMQ, is asked for still. */
  readonly request?: ControlRequest | undefined;
  /** The run before died without reporting an outcome, or an item is a suspect: this run isolates its items (R19). */
  readonly careful?: boolean;
}

/** Reads a job's checkpoint, what happened to the job since it was saved, and what operators ask of it. */
export function restoreCheckpoint(job: Job, control: JobControl = NOTHING_ASKED): Restored {
  const saved = readCheckpoint(job.progress);
  const restored = saved ? restoreSaved(job, saved) : restoreUnsaved(job);
  const { request, handled } = requestInForce(control, job, saved);
  const restart = pendingRestart(control, saved?.restarted);
  if (restart) return { ...restartedBy(restart, job, { ...restored.checkpoint, handled }), request };
  // A cancellation that was saved is final: its hooks may have been called.
  return { ...restored, request: restored.request ?? request, checkpoint: { ...restored.checkpoint, handled } };
}

/**
 * The request that holds, and the number of the last one that is answered. A job's end answers every request: a job that is
 * retried by hand begins without them, also without one that came while the job ended.
 */
function requestInForce(
  { request }: JobControl,
  job: Job,
  saved?: Checkpoint,
): Pick<Restored, 'request'> & Pick<Checkpoint, 'handled'> {
  const { handled, ended } = saved ?? {};
  if (!request || request.number <= (handled ?? 0)) return { handled };
  const cameBeforeEnd = request.processedOn !== undefined && request.processedOn <= (ended?.processedOn ?? -1);
  return hasEnded(job, saved) && cameBeforeEnd ? { handled: request.number } : { request, handled };
}

/** A new life of the job. A dead letter that is not written yet stays to be written. */
function restartedBy({ number, cursor }: RestartRequest, job: Job, { handled, letter, life }: Checkpoint): Restored {
  const from = cursor === undefined ? {} : { cursor, restartCursor: cursor };
  return {
    checkpoint: { ...firstCheckpoint(job), ...from, life: life + 1, letter, handled, restarted: number },
    isNew: true,
  };
}

/** The job has no checkpoint. */
function restoreUnsaved(job: Job): Restored {
  const foreign = isEmpty(job.progress) ? {} : { foreign: job.progress };
  return { ...restoreUnended(job, { ...firstCheckpoint(job), stalls: 0 }), isNew: true, ...foreign };
}

function restoreSaved(job: Job, saved: Checkpoint): Restored {
  const { ended, unknownSince: _, ...unended } = saved;
  if (!ended) return restoreUnended(job, unended);
  // Without stalls the next run is written when it begins, so that `ended` is read once.
  const checkpoint: Checkpoint = { ...unended, stalls: undefined };
  const isReported = hasEnded(job, saved);
  switch (ended.outcome) {
    case 'complete': // retried by hand if BullMQ has recorded the completion, else not yet known as complete
      if (!isReported || (job.stacktrace?.length ?? 0) > ended.traces) return { checkpoint };
      return { checkpoint: startedAnew(job, checkpoint), isNew: true };
    case 'fail': // retried by hand: a fresh budget at the same cursor (the failure itself left a trace)
      return isReported
        ? { checkpoint: { ...checkpoint, failures: 0, crashes: undefined }, isRetried: true }
        : { checkpoint };
    case 'cancel':
      return isReported
        ? { checkpoint: { ...checkpoint, failures: 0, crashes: undefined }, isRetried: true }
        : { checkpoint, request: ended.asked ?? { type: 'cancel', at: new Date(job.processedOn ?? 0).toISOString() } };
  }
}

/** Whether BullMQ has recorded the end that was saved: a worker may have died since the job was retried by hand. */
function hasEnded(job: Job, { ended }: Pick<Checkpoint, 'ended'> = {}): boolean {
  if (!ended || isEnding(job, ended)) return false;
  return job.stalledCounter <= ended.stalls || job.attemptsMade > ended.attempts;
}

/** The run that saved the end is still running, as its hooks may be. */
function isEnding({ finishedOn, processedOn }: Job, ended: Ended): boolean {
  return finishedOn === undefined && processedOn !== undefined && processedOn === ended.processedOn;
}

/** From the beginning, after the job has ended. */
function startedAnew(job: Job, { life, handled, restarted }: Checkpoint): Checkpoint {
  return { ...firstCheckpoint(job), life: life + 1, handled, restarted };
}

function restoreUnended(job: Job, saved: Checkpoint): Restored {
  const { isolates, running, ...checkpoint } = saved;
  const { crashes, run } = checkpoint;
  const unknown = unknownRuns(job, saved);
  if (running === undefined && !isolates && crashes === undefined && unknown === 0) return { checkpoint };
  const careful: Checkpoint = { ...checkpoint, run: run + unknown, running: 'careful' };
  if (running !== 'careful item' || crashes?.includes(run)) return { checkpoint: careful, careful: true };
  return { checkpoint: { ...careful, crashes: [...(crashes ?? []), run] }, careful: true };
}

/** Fields of a job's progress that it may have before its first checkpoint. */
const NO_CHECKPOINT = ['unknownSince', 'progress', 'control', 'parts', 'shared', 'runs'];

function isEmpty(progress: unknown): boolean {
  if (typeof progress === 'object' && progress !== null) {
    return Object.keys(progress).every((name) => NO_CHECKPOINT.includes(name));
  }
  return !progress;
}

/** Runs that died before their first checkpoint. */
function unknownRuns(job: Job, { running, stalls = job.stalledCounter }: Checkpoint): number {
  return Math.max(0, job.stalledCounter - stalls - (running === undefined ? 0 : 1));
}
