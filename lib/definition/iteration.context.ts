import type { Job } from 'bullmq';
import type { Cursor, Json } from '../cursor.js';
import type { Interruption } from '../interruption/index.js';

/** The context of `@BuildPartitions`. */
export interface PartitionsContext<Data = unknown> {
  readonly data: Data;
  readonly job: Job<Data>;
  /** Aborted when work must stop at once: the shutdown's deadline has passed, the job was cancelled, or its lock is lost. */
  readonly signal: AbortSignal;
}

/** The context of `@BuildEnumerator`. */
export interface BuildContext<Data = unknown, C extends Cursor = Cursor, Part extends Json = Json>
  extends PartitionsContext<Data> {
  /** Cursor of the last finished item; `null` at the beginning. */
  readonly cursor: C | null;
  /** Of a job that `@BuildPartitions` has split: the part's value. */
  readonly part?: Part | undefined;
}

/** The context of handlers and hooks: one object for the whole run, always current. */
export interface IterationContext<Data = unknown, Transaction = never, State extends Json = Json, Item = unknown> {
  readonly data: Data;
  readonly job: Job<Data>;
  /** The current item, in hooks and around. */
  readonly item: Item;
  /** Cursor of the last finished item. */
  readonly cursor: Cursor;
  /** Items finished in the job's life. */
  readonly processed: number;
  /** 1 for the first. */
  readonly run: number;
  readonly interruptions: number;
  /** Of a job that `@BuildPartitions` has split: the part's value. */
  readonly part?: Json | undefined;
  /** Why this run is about to end. */
  readonly interruption: Interruption | undefined;
  /** Aborted when work must stop at once: the shutdown's deadline has passed, the job was cancelled, or its lock is lost. */
  readonly signal: AbortSignal;
  readonly transaction: Transaction;
  /** Your own state: JSON of at most 16 KB, saved with the cursor. `null` at first. */
  state: State;
  /** Finishes the job after this item, as complete. `silent`: without the `complete` hook. */
  stop(options?: { silent?: boolean }): void;
  /** Puts the job back after this item; it resumes in `ms` milliseconds. */
  retryIn(ms: number): void;
}

/** How a run ended. */
export interface RunEnd {
  /** `retry`: the run failed, and BullMQ retries the job; `fail`: the job failed permanently. */
  readonly outcome: 'complete' | 'interrupt' | 'retry' | 'cancel' | 'fail';
  readonly error?: unknown;
}

/** Each event of `@OnIteration`, with the second argument of its hooks. */
export interface IterationEvents {
  /** Once in a job's life, before its first item. */
  start: undefined;
  /** At each later run, before its first item. */
  resume: undefined;
  /** Once, before the job settles. What it returns becomes the job's return value. */
  complete: undefined;
  /** When any run ends, after the other hooks. */
  end: RunEnd;
  /** When a run ends before its job does. */
  interrupt: Interruption;
  skip: { readonly error: unknown; readonly item: unknown; readonly cursor: Cursor };
  /** When the job has failed permanently. */
  fail: { readonly error: unknown };
  /** Instead of `complete`, when the job was cancelled. */
  cancel: { readonly error: unknown };
}

/** The names of the hooks. */
export type IterationEvent = keyof IterationEvents;

/** What the job returns in BullMQ, unless the `complete` hook returns something else. */
export interface IterationResult {
  readonly processed: number;
  readonly skipped: number;
  /** With `partFailure: 'continue'`: ids of the parts that have failed. */
  readonly failedParts?: readonly string[];
}
