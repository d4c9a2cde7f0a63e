import type { Job } from 'bullmq';
import type { Cursor, Json } from '../cursor.js';
import type { DeadLetterRecord } from '../dead-letters/index.js';
import type { Interruption } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import { initialCursor } from './initial.cursor.js';
import type { ControlRequest } from './job.control.js';
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
  readonly size?: number | null | undefined;
  /** How much of the source lies up to the cursor, 0 to 1; absent = unknown. */
  readonly fraction?: number | undefined;
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
  /** A run that isolated its items ended before any was finished: the next one does as well (R19). */
  readonly isolates?: true | undefined;
  /** How often BullMQ had found the job stalled. It has more often when a run died before its first checkpoint (R19). */
  readonly stalls?: number;
  /** Runs that died in the item after the cursor while items were isolated (R19). */
  readonly crashes?: readonly number[];
  /** How many items were skipped in a row, and `passed` after the last one. */
  readonly skippedInARow?: readonly [count: number, passed: number] | undefined;
  /** A skipped item whose dead letter may not have been written yet. */
  readonly letter?: DeadLetterRecord;
  readonly interruptions: number;
  /** Consecutive failures without a finished item between them (R23). */
  readonly failures: number;
  /** All runs together, in milliseconds. */
  readonly runtimeMs: number;
  /** Of that time, spent waiting for the source, and in handlers. */
  readonly readingMs?: number;
  readonly handlingMs?: number;
  /** Host and process of the last run. */
  readonly worker?: string;
  /** When the last run began, in milliseconds since 1970, and `passed` then. */
  readonly began?: readonly [at: number, passed: number];
  readonly lastInterruption?: Interruption;
  /** What the module's `aroundRun` keeps for the next run, such as a trace's context. */
  readonly carrier?: Readonly<Record<string, string>> | undefined;
  /** Recent `[runtimeMs, passed, fraction]`, oldest first, for the rate. */
  readonly pace?: Throughput;
  /** The settings that were in force. */
  readonly settings?: SettingsInForce;
  /** With `itemsPerSecond`: before this time the next item does not begin, in milliseconds since 1970. */
  readonly nextItemAt?: number | undefined;
  readonly ended?: Ended;
  /** The user finished the job early: no further item is handled, also when its end fails and is tried again. */
  readonly stopped?: { readonly silent: boolean };
  /** Of a job that is split: all of its parts were added. One that is gone since was removed. */
  readonly partsAdded?: true;
  /** Of a job that is split: all of its parts have ended, and these have failed. */
  readonly settled?: { readonly failedParts: readonly string[] };
  /** The number of the last request of operators that an end of the job has answered. */
  readonly handled?: number;
  /** The number of the last restart that operators asked for and a run began with, and its cursor. */
  readonly restarted?: number;
  readonly restartCursor?: Cursor;
  /** Since when no worker knew the job's name, in milliseconds since 1970. */
  readonly unknownSince?: number;
  readonly [unknownField: string]: unknown;
}

export interface SettingsInForce {
  readonly itemConcurrency: number;
  /** Absent: no limit. */
  readonly itemsPerSecond?: number | undefined;
  /** Absent: the source has no batches, or their size is not known yet. */
  readonly batchSize?: number | undefined;
  /** Items are handled one after another, whatever `itemConcurrency` is asked for. */
  readonly isSequential?: true | undefined;
}

/** While items are isolated, a crash counts only where a handler was at work: in `careful item`, the item after the cursor. */
export type Running = 'items' | 'careful' | 'careful item';

/** How the last run of a job ended it, saved just before it is reported to BullMQ. */
export interface Ended {
  readonly outcome: 'complete' | 'fail' | 'cancel';
  /** What BullMQ had counted then. It counts an attempt when the end is reported, and a stall when it never is. */
  readonly attempts: number;
  readonly stalls: number;
  readonly traces: number;
  /** When the run began, in milliseconds since 1970. */
  readonly processedOn?: number | undefined;
  /** Of a cancellation. */
  readonly asked?: ControlRequest;
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

/** How a run ends its job, as the checkpoint remembers it. `asked`: who asked for a cancellation. */
export function endedNow(outcome: Ended['outcome'], job: Job, asked?: Ended['asked']): Ended {
  const { attemptsMade: attempts, processedOn, stacktrace, stalledCounter: stalls } = job;
  return { outcome, attempts, stalls, traces: stacktrace?.length ?? 0, processedOn, ...(asked && { asked }) };
}

/** Before the first run: at the cursor that `enqueue` was given, if any. */
export function firstCheckpoint(job: Job): Checkpoint {
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
