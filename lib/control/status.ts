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
} from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import type { Interruption } from '../interruption/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';
import { type PartPlace, partOf, partPlaceOf, requestOfWhole, stronger } from '../parts/index.js';
import { type SettingsShown, settingsOf } from './settings.js';

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
/** The states of a job that has ended. */
export const ENDED: readonly IterationState[] = ['completed', 'failed', 'cancelled'];

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
  /** 0 to 100 with one decimal, never falls; undefined while neither the size nor the fraction of the source is known. */
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
  /** How often BullMQ found the job stalled since it was added: its worker was killed, or lost its lock. */
  readonly stalls: number;
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
  readonly settings: SettingsShown;
  /** Of a job with parts: how many are in each state. */
  readonly partStates?: Readonly<Partial<Record<IterationState, number>>>;
  /** Of a part of another job: which one it is, from 0. */
  readonly part?: PartPlace;
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

/** What is asked of a job, and of the one that it is a part of. */
export interface ControlDocuments {
  readonly control?: JobControl | undefined;
  readonly whole?: JobControl | undefined;
}

/** Combines a job's checkpoint and what operators ask of it with its BullMQ state. */
export function statusOf(
  job: Job,
  jobState: JobState | 'unknown',
  { control, whole, options }: ControlDocuments & { readonly options?: ResolvedRunOptions | undefined } = {},
): IterationStatus {
  const { checkpoint, request } = restoredOf(job, jobState, { control, whole });
  const { cursor, failures, interruptions, lastInterruption, pace, processed } = checkpoint;
  const { passed, run, runtimeMs, skipped, worker } = checkpoint;
  const state = stateOf(jobState, checkpoint, request);
  const rate = itemsPerSecond(pace, runtimeMs, passed);
  const part = partPlaceOf(job);
  return {
    queue: job.queueName,
    id: job.id as string,
    name: job.name,
    state,
    cursor,
    processed,
    skipped,
    size: checkpoint.size ?? undefined,
    percent: percentOf(state, checkpoint),
    itemsPerSecond: rate,
    overallItemsPerSecond: runtimeMs > 0 ? (passed / runtimeMs) * 1_000 : undefined,
    etaMs: etaOf(state, checkpoint, rate),
    run,
    interruptions,
    stalls: job.stalledCounter,
    runtimeMs,
    readingMs: checkpoint.readingMs ?? 0,
    handlingMs: checkpoint.handlingMs ?? 0,
    failures,
    lastInterruption,
    failedReason: state === 'failed' || state === 'cancelled' ? job.failedReason : undefined,
    worker: jobState === 'active' ? worker : undefined,
    settings: settingsOf(checkpoint, { ...whole?.settings, ...control?.settings }, options),
    request: request && published(request),
    ...(part && { part }),
  };
}

/**
 * The saved checkpoint. For a waiting job, the one that its next run begins with: a completed job that is retried starts anew.
 * A request to a job that has ended does not hold.
 */
function restoredOf(job: Job, state: JobState | 'unknown', { control, whole }: ControlDocuments): Restored {
  const part = partOf(job);
  const restored = restoreCheckpoint(job, control);
  const hasEnded = state === 'completed' || state === 'failed';
  // Of a run that starts the job anew, nothing is saved yet. The job may have ended since its state was read.
  const startsAnew = restored.isNew && job.finishedOn === undefined;
  const isSaved = hasEnded || (state === 'active' && !startsAnew);
  const saved = isSaved ? readCheckpoint(job.progress) : undefined;
  const ofWhole = part && whole && requestOfWhole(part, whole);
  const request = hasEnded ? undefined : stronger(restored.request, ofWhole);
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

function published({ type, by, at, reason }: ControlRequest): NonNullable<IterationStatus['request']> {
  return { type, at, ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
}

function percentOf(state: IterationState, { fraction, progress, settled, size }: Checkpoint): number | undefined {
  if (state === 'completed' || settled) return 100;
  const isKnown = fraction !== undefined || typeof size === 'number';
  return isKnown ? progress : undefined;
}

function etaOf(
  state: IterationState,
  { fraction, pace, passed, runtimeMs, size }: Checkpoint,
  rate: number | undefined,
): number | undefined {
  if (state === 'completed') return 0;
  if (state === 'failed' || state === 'cancelled') return undefined;
  if (fraction !== undefined) return msFor(1 - fraction, fractionPerSecond(pace, runtimeMs, fraction));
  return typeof size === 'number' ? msFor(size - passed, rate) : undefined;
}

function msFor(left: number, perSecond: number | undefined): number | undefined {
  return perSecond ? Math.round((Math.max(left, 0) / perSecond) * 1_000) : undefined;
}
