import type { Job, JobState } from 'bullmq';
import type { Cursor } from '../cursor.js';
import { type Checkpoint, readCheckpoint } from '../run/checkpoint.js';
import type { Interruption } from '../run/interruption.js';
import { itemsPerSecond } from '../run/pace.js';

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

/** What is known of a job, as of its last checkpoint. */
export interface IterationStatus {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly state: IterationState;
  /** Of the last finished item. */
  readonly cursor: Cursor;
  /** Items finished in the job's life. */
  readonly processed: number;
  readonly skipped: number;
  /** Items of the whole job; undefined = unknown. */
  readonly size: number | undefined;
  /** 0 to 100, never falls; undefined while the size is unknown. */
  readonly percent: number | undefined;
  /** Over the last minute of running. */
  readonly itemsPerSecond: number | undefined;
  /** Over all of its run time. */
  readonly overallItemsPerSecond: number | undefined;
  /** Milliseconds until the end, at the rate of the last minute. */
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

/** A job and its BullMQ state, as this library sees them. */
export function statusOf(job: Job, jobState: JobState | 'unknown'): IterationStatus {
  const checkpoint: Partial<Checkpoint> = readCheckpoint(job.progress) ?? {};
  const {
    cursor = null,
    failures = 0,
    interruptions = 0,
    lastInterruption,
    processed = 0,
    run = 0,
    runtimeMs = 0,
  } = checkpoint;
  const { pace, size, skipped = 0, worker } = checkpoint;
  const state = stateOf(jobState, checkpoint);
  const rate = itemsPerSecond(pace, runtimeMs, processed);
  return {
    queue: job.queueName,
    id: job.id as string,
    name: job.name,
    state,
    cursor,
    processed,
    skipped,
    size,
    percent: state === 'completed' ? 100 : size === undefined ? undefined : checkpoint.progress,
    itemsPerSecond: rate,
    overallItemsPerSecond: runtimeMs > 0 ? (processed / runtimeMs) * 1_000 : undefined,
    etaMs: eta(state, size === undefined ? undefined : size - processed, rate),
    run,
    interruptions,
    runtimeMs,
    failures,
    lastInterruption,
    failedReason: state === 'failed' || state === 'cancelled' ? job.failedReason : undefined,
    worker: state === 'running' ? worker : undefined,
  };
}

function stateOf(state: JobState | 'unknown', { ended, run = 0 }: Partial<Checkpoint>): IterationState {
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
  if (left === undefined || !rate) return undefined;
  return Math.round((Math.max(left, 0) / rate) * 1_000);
}
