import type { Job } from 'bullmq';
import type { Cursor, Json } from '../cursor.js';
import type { DeadLetterRecord } from '../dead-letters/index.js';
import type { Interruption } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import { initialCursor } from './initial.cursor.js';
import type { Throughput } from './throughput.js';

/** The version of the document below that this library writes. */
const DOCUMENT_VERSION = 1;

/**
 * A job's saved state: BullMQ's `progress` field, written by the checkpoint store alone. Unknown fields are kept.
 *
 * `progress` is the percentage, by the name that Bull Board draws its ring from.
 */
export interface Checkpoint {
  readonly iteration: typeof DOCUMENT_VERSION;
  readonly progress: number;
  /** Cursor of the last finished item. */
  readonly cursor: Cursor;
  /** Items finished in the job's life. */
  readonly processed: number;
  /** Dead letters written in the job's life. */
  readonly skipped: number;
  /** Items of the source up to the cursor: a batch is one, however many of its records were skipped. */
  readonly passed: number;
  /** `null`: the source was asked, and does not know. */
  readonly size?: number | null;
  /** How much of the source lies up to the cursor, 0 to 1; absent = unknown. */
  readonly fraction?: number;
  /** The user's own state. */
  readonly state?: Json;
  /** The processor's `version` that made the cursor. */
  readonly version: string | number | null;
  /** Whether the `start` hook has returned. */
  readonly started: boolean;
  /** How often the job was started anew after its end. */
  readonly life: number;
  /** The last run; 0 before the first. */
  readonly run: number;
  /** Set while a run is active, with where it is; removed when a run reports its outcome (R19). */
  readonly running?: Running;
  /** How often BullMQ had found the job stalled. It has more often when a run died before its first checkpoint (R19). */
  readonly stalls?: number;
  /** Runs that died in the item after the cursor while items were isolated (R19). */
  readonly crashes?: readonly number[];
  /** A skipped item whose dead letter may not have been written yet. */
  readonly letter?: DeadLetterRecord;
  readonly interruptions: number;
  /** Consecutive failures without a finished item between them (R23). */
  readonly failures: number;
  /** All runs together, in milliseconds. */
  readonly runtimeMs: number;
  /** Host and process of the last run. */
  readonly worker?: string;
  readonly lastInterruption?: Interruption;
  /** Recent `[runtimeMs, passed, fraction]`, oldest first, for the rate. */
  readonly pace?: Throughput;
  readonly ended?: Ended;
  /** The user finished the job early: no further item is handled, also when its end fails and is tried again. */
  readonly stopped?: { readonly silent: boolean };
  /** Since when no worker knew the job's name, in milliseconds since 1970. */
  readonly unknownSince?: number;
  readonly [unknownField: string]: unknown;
}

/** While items are isolated, a crash counts only where a handler was at work: in `careful item`, the item after the cursor. */
export type Running = 'items' | 'careful' | 'careful item';

/** How the last run of a job ended it, saved just before it is reported to BullMQ. */
interface Ended {
  readonly outcome: 'complete' | 'fail' | 'cancel';
  /** What BullMQ had counted then. It counts an attempt when the end is reported, and a stall when it never is. */
  readonly attempts: number;
  readonly stalls: number;
  readonly traces: number;
}

/** What a run begins with. */
export interface Restored {
  readonly checkpoint: Checkpoint;
  /** The job has none yet: it starts from the beginning, or at the cursor that `enqueue` was given. */
  readonly isNew?: boolean;
  /** Progress that is not a checkpoint, from before the library was adopted. It is dropped. */
  readonly foreign?: unknown;
  /** A cancellation that was saved, but never reported to BullMQ. */
  readonly cancelled?: boolean;
  /** The run before died without reporting an outcome, or an item is a suspect: this run isolates its items (R19). */
  readonly careful?: boolean;
}

/** Runs that died before their first checkpoint. */
function unknownRuns(job: Job, { running, stalls = job.stalledCounter }: Checkpoint): number {
  return Math.max(0, job.stalledCounter - stalls - (running === undefined ? 0 : 1));
}

/** Reads a job's checkpoint, and what happened to the job since it was saved. */
export function restoreCheckpoint(job: Job): Restored {
  const saved = readCheckpoint(job.progress);
  if (!saved) {
    const foreign = isEmpty(job.progress) ? {} : { foreign: job.progress };
    return { ...restoreUnended(job, { ...firstCheckpoint(job), stalls: 0 }), isNew: true, ...foreign };
  }

  const { ended, unknownSince: _, ...unended } = saved;
  if (!ended) return restoreUnended(job, unended);
  // Without stalls the next run is written when it begins, so that `ended` is read once.
  const checkpoint: Checkpoint = { ...unended, stalls: undefined };
  // A worker may have died since it was retried by hand, before it saved anything.
  const isReported = job.stalledCounter <= ended.stalls || job.attemptsMade > ended.attempts;
  switch (ended.outcome) {
    case 'complete': // retried by hand if BullMQ has recorded the completion, else not yet known as complete
      if (!isReported || (job.stacktrace?.length ?? 0) > ended.traces) return { checkpoint };
      return { checkpoint: { ...firstCheckpoint(job), life: checkpoint.life + 1 }, isNew: true };
    case 'fail': // retried by hand: a fresh budget at the same cursor (the failure itself left a trace)
      return { checkpoint: isReported ? { ...checkpoint, failures: 0, crashes: undefined } : checkpoint };
    case 'cancel':
      return isReported
        ? { checkpoint: { ...checkpoint, failures: 0, crashes: undefined } }
        : { checkpoint, cancelled: true };
  }
}

function restoreUnended(job: Job, saved: Checkpoint): Restored {
  const { running, ...checkpoint } = saved;
  const { crashes, run } = checkpoint;
  const unknown = unknownRuns(job, saved);
  if (running === undefined && crashes === undefined && unknown === 0) return { checkpoint };
  const careful: Checkpoint = { ...checkpoint, run: run + unknown, running: 'careful' };
  if (running !== 'careful item' || crashes?.includes(run)) return { checkpoint: careful, careful: true };
  return { checkpoint: { ...careful, crashes: [...(crashes ?? []), run] }, careful: true };
}

/** The checkpoint in a job's `progress`; undefined when it holds none. */
export function readCheckpoint(progress: unknown): Checkpoint | undefined {
  if (typeof progress !== 'object' || progress === null || !('iteration' in progress)) return undefined;
  const { iteration } = progress;
  if (iteration === DOCUMENT_VERSION) return withDefaults(progress as Checkpoint);
  if (typeof iteration !== 'number') return undefined;
  throw new IterationError(
    `The job's checkpoint is of version ${iteration}, made by a newer nestjs-iteration; this one reads version ` +
      `${DOCUMENT_VERSION}. Let a worker of the newer release run it`,
  );
}

/** For documents of a release without these fields. */
function withDefaults(document: Checkpoint): Checkpoint {
  const { life = 0, processed, skipped } = document;
  return { ...document, life, passed: document.passed ?? processed + skipped };
}

/** How a run ends its job, as the checkpoint remembers it. */
export function endedNow(outcome: Ended['outcome'], job: Job): Ended {
  return { outcome, attempts: job.attemptsMade, stalls: job.stalledCounter, traces: job.stacktrace?.length ?? 0 };
}

/** Before the first run: at the cursor that `enqueue` was given, if any. */
function firstCheckpoint(job: Job): Checkpoint {
  return {
    iteration: DOCUMENT_VERSION,
    progress: 0,
    cursor: initialCursor(job),
    processed: 0,
    skipped: 0,
    passed: 0,
    version: null,
    started: false,
    life: 0,
    run: 0,
    interruptions: 0,
    failures: 0,
    runtimeMs: 0,
  };
}

function isEmpty(progress: unknown): boolean {
  if (typeof progress === 'object' && progress !== null) {
    return Object.keys(progress).every((name) => name === 'unknownSince' || name === 'progress');
  }
  return !progress;
}
