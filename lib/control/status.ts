import type { Job, JobState } from 'bullmq';
import {
  type Checkpoint,
  type ControlRequest,
  fractionPerSecond,
  itemsPerSecond,
  type JobControl,
  type Restored,
  readCheckpoint,
  restoreCheckpoint,
  type TunedSettings,
} from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import type { Interruption } from '../interruption/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';

/**
 * `pausing` and `cancelling`: a run ends after its current item, or at once. A job that is not running is `paused` at once, and
 * `cancelling` until a worker has ended it. `interrupted`: it has run, and waits for its next run.
 */
export type IterationState = (typeof ITERATION_STATES)[number];

export const ITERATION_STATES = [
  'waiting',
  'running',
  'interrupted',
  'pausing',
  'paused',
  'cancelling',
  'cancelled',
  'completed',
  'failed',
] as const;

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
  /** Of it, spent waiting for the source. */
  readonly readingMs: number;
  /** Of it, spent in handlers. With `itemConcurrency`, only while the run does not wait for its source. */
  readonly handlingMs: number;
  /** Consecutive failures at this cursor. */
  readonly failures: number;
  readonly lastInterruption: Interruption | undefined;
  readonly failedReason: string | undefined;
  /** Host and process of the run, while it is running. */
  readonly worker: string | undefined;
  /** In force now. What is absent is not limited, or not known. */
  readonly settings: {
    readonly itemConcurrency: number;
    readonly itemsPerSecond?: number;
    /** Of a source of batches, once it was opened. */
    readonly batchSize?: number;
  };
  /** Of a job with parts: how many are in each state. */
  readonly partStates?: Readonly<Partial<Record<IterationState, number>>>;
  /** Who asked for a pause or a cancellation that holds. */
  readonly request?:
    | {
        readonly type: 'pause' | 'cancel';
        readonly by?: string;
        /** ISO time. */
        readonly at: string;
        readonly reason?: string;
      }
    | undefined;
}

/** Combines a job's checkpoint and what operators ask of it with its BullMQ state. */
export function statusOf(
  job: Job,
  jobState: JobState | 'unknown',
  { control, options }: { readonly control?: JobControl; readonly options?: ResolvedRunOptions | undefined } = {},
): IterationStatus {
  const { checkpoint, request } = restoredOf(job, jobState, control);
  const { cursor, failures, interruptions, lastInterruption, pace, processed } = checkpoint;
  const { passed, run, runtimeMs, skipped, worker } = checkpoint;
  const { fraction } = checkpoint;
  const size = checkpoint.size ?? undefined;
  const state = stateOf(jobState, checkpoint, request);
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
    readingMs: checkpoint.readingMs ?? 0,
    handlingMs: checkpoint.handlingMs ?? 0,
    failures,
    lastInterruption,
    failedReason: state === 'failed' || state === 'cancelled' ? job.failedReason : undefined,
    worker: jobState === 'active' ? worker : undefined,
    settings: settingsOf(checkpoint, control?.settings, options),
    request: request && published(request),
  };
}

/**
 * The saved checkpoint. For a waiting job, the one that its next run begins with: a completed job that is retried starts anew.
 * A request to a job that has ended does not hold.
 */
function restoredOf(job: Job, state: JobState | 'unknown', control?: JobControl): Restored {
  const restored = restoreCheckpoint(job, control);
  const hasEnded = state === 'completed' || state === 'failed';
  const saved = hasEnded || state === 'active' ? readCheckpoint(job.progress) : undefined;
  const request = hasEnded ? undefined : restored.request;
  return { checkpoint: saved ?? restored.checkpoint, request };
}

function stateOf(
  state: JobState | 'unknown',
  { ended, run }: Checkpoint,
  request: Restored['request'],
): IterationState {
  switch (state) {
    case 'active':
      return request ? (request.type === 'pause' ? 'pausing' : 'cancelling') : 'running';
    case 'completed':
      return 'completed';
    case 'failed':
      return ended?.outcome === 'cancel' ? 'cancelled' : 'failed';
    default:
      if (request) return request.type === 'pause' ? 'paused' : 'cancelling';
      return run === 0 ? 'waiting' : 'interrupted';
  }
}

/** What the last run had, else what the processor has; and what was tuned since. */
function settingsOf(
  { settings: saved }: Checkpoint,
  tuned: TunedSettings = {},
  options?: ResolvedRunOptions,
): IterationStatus['settings'] {
  const known = saved ?? options;
  const concurrency = tuned.itemConcurrency ?? known?.itemConcurrency ?? 1;
  const perSecond = tuned.itemsPerSecond === undefined ? known?.itemsPerSecond : tuned.itemsPerSecond;
  const hasBatches = saved === undefined || saved.batchSize !== undefined;
  const batchSize = hasBatches ? (tuned.batchSize ?? saved?.batchSize) : undefined;
  return {
    itemConcurrency: saved?.isSequential ? 1 : concurrency,
    ...(perSecond && perSecond !== Infinity && { itemsPerSecond: perSecond }),
    ...(batchSize && { batchSize }),
  };
}

function published({ type, by, at, reason }: ControlRequest): NonNullable<IterationStatus['request']> {
  return { type, at, ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
}

function eta(state: IterationState, left: number | undefined, rate: number | undefined): number | undefined {
  if (state === 'completed') return 0;
  if (state === 'failed' || state === 'cancelled' || left === undefined || !rate) return undefined;
  return Math.round((Math.max(left, 0) / rate) * 1_000);
}
