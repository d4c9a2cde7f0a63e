import type { Job, JobState } from 'bullmq';
import {
  type Checkpoint,
  fractionPerSecond,
  itemsPerSecond,
  readCheckpoint,
  restoreCheckpoint,
} from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import type { Interruption } from '../interruption/index.js';

/** `pausing`, `paused` and `cancelling` are not used yet. */
export type IterationState =
  | 'waiting'
  | 'running'
  | 'interrupted'
  | 'pausing'
  | 'paused'
  | 'cancelling'
  | 'cancelled'
  | 'completed'
  | 'failed';

/** A job's status, as of its last checkpoint. */
export interface IterationStatus {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly state: IterationState;
  /** Cursor of the last finished item. */
  readonly cursor: Cursor;
  /** Items finished in the job's life. */
  readonly processed: number;
  /** Dead letters written in the job's life. */
  readonly skipped: number;
  /** Items of the whole job; undefined = unknown. */
  readonly size: number | undefined;
  /** 0 to 100, never falls; undefined while neither the size nor the fraction of the source is known. */
  readonly percent: number | undefined;
  /** Over the last minute of running. */
  readonly itemsPerSecond: number | undefined;
  /** Over all of its run time. */
  readonly overallItemsPerSecond: number | undefined;
  /** Milliseconds of running until the end, at the rate of the last minute; undefined while unknown, and of a failed job. */
  readonly etaMs: number | undefined;
  /** The last run; 0 before the first. */
  readonly run: number;
  readonly interruptions: number;
  /** All runs together, in milliseconds. */
  readonly runtimeMs: number;
  /** Consecutive failures at this cursor. */
  readonly failures: number;
  readonly lastInterruption: Interruption | undefined;
  readonly failedReason: string | undefined;
  /** Host and process of the run, while it is running. */
  readonly worker: string | undefined;
}

/** Combines a job's checkpoint with its BullMQ state. */
export function statusOf(job: Job, jobState: JobState | 'unknown'): IterationStatus {
  const checkpoint = checkpointOf(job, jobState);
  const { cursor, failures, interruptions, lastInterruption, pace, processed } = checkpoint;
  const { passed, run, runtimeMs, skipped, worker } = checkpoint;
  const { fraction } = checkpoint;
  const size = checkpoint.size ?? undefined;
  const state = stateOf(jobState, checkpoint);
  const rate = itemsPerSecond(pace, runtimeMs, passed);
  return {
    queue: job.queueName,
    id: job.id as string,
    name: job.name,
    state,
    cursor,
    processed,
    skipped,
    size,
    percent: state === 'completed' ? 100 : (fraction ?? size) === undefined ? undefined : checkpoint.progress,
    itemsPerSecond: rate,
    overallItemsPerSecond: runtimeMs > 0 ? (passed / runtimeMs) * 1_000 : undefined,
    etaMs:
      fraction === undefined
        ? eta(state, size === undefined ? undefined : size - passed, rate)
        : eta(state, 1 - fraction, fractionPerSecond(pace, runtimeMs, fraction)),
    run,
    interruptions,
    runtimeMs,
    failures,
    lastInterruption,
    failedReason: state === 'failed' || state === 'cancelled' ? job.failedReason : undefined,
    worker: state === 'running' ? worker : undefined,
  };
}

/** The saved checkpoint. For a waiting job, the one that its next run begins with: a completed job that is retried starts anew. */
function checkpointOf(job: Job, state: JobState | 'unknown'): Checkpoint {
  const waits = state !== 'active' && state !== 'completed' && state !== 'failed';
  const saved = waits ? undefined : readCheckpoint(job.progress);
  return saved ?? restoreCheckpoint(job).checkpoint;
}

function stateOf(state: JobState | 'unknown', { ended, run }: Checkpoint): IterationState {
  switch (state) {
    case 'active':
      return 'running';
    case 'completed':
      return 'completed';
    case 'failed':
      return ended?.outcome === 'cancel' ? 'cancelled' : 'failed';
    default:
      return run === 0 ? 'waiting' : 'interrupted';
  }
}

function eta(state: IterationState, left: number | undefined, rate: number | undefined): number | undefined {
  if (state === 'completed') return 0;
  if (state === 'failed' || state === 'cancelled' || left === undefined || !rate) return undefined;
  return Math.round((Math.max(left, 0) / rate) * 1_000);
}
