import type { ControlEvent } from '../../lib/index.js';

/** A row of the ledger that the workers write, in the order of the database's sequence. */
export interface LedgerRow {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /**
   * `build`: a run begins to build. `split`: the job is about to be split into parts. `item`: an effect. `error`: a handler
   * is about to throw. `lost`: the run learned that it had lost its lock. Otherwise a hook.
   */
  readonly type: 'build' | 'split' | 'item' | 'error' | 'lost' | Hook;
  readonly job: string;
  /** For a part: the job that it is a part of, and its index. */
  readonly parent?: string | null;
  readonly part?: number | null;
  /** Names one run of one job in one process. */
  readonly run: string;
  /** The process. */
  readonly worker: string;
  /** For an item: the positions of its first and last record in the job. */
  readonly first: number | null;
  readonly last: number | null;
  /** For `end`: the outcome. For `interrupt`: the reason. For `build`: the cursor. For `split`: the number of parts. */
  readonly detail: string | null;
}

export type Hook = 'start' | 'resume' | 'interrupt' | 'complete' | 'fail' | 'cancel' | 'end';

/** A row of the record: what the chaos itself did and saw. */
export type RecordRow = { readonly at: number } /** `parted`: the job is split into parts. */ & (
  | { readonly type: 'added'; readonly job: string; readonly size: number; readonly parted?: PartedPlan }
  | {
      readonly type: 'settled';
      readonly job: string;
      readonly state: string;
      readonly attemptsMade: number;
      /** The rate that its status shows. */
      readonly itemsPerSecond?: number | undefined;
      readonly processed?: number;
      readonly skipped?: number;
      /** Ids of the parts that have failed, from the job's result. */
      readonly failedParts?: readonly string[];
    }
  /** What the status of a job in parts shows, when it has changed, or should. `askedAt`: when the status was asked for. */
  | ({ readonly type: 'seen'; readonly job: string; readonly askedAt: number } & Seen)
  | { readonly type: 'unsettled'; readonly job: string; readonly state: string }
  /** At the end the job is paused, and put away. */
  | { readonly type: 'kept paused'; readonly job: string }
  | ({ readonly type: 'answer' } & Answer)
  /** A request in the job's history, in the order of the history. `at`: when it was first seen there. */
  | { readonly type: 'request'; readonly job: string; readonly request: ControlEvent }
  | { readonly type: 'ready' | 'kill' | 'term' | 'freeze' | 'thaw'; readonly worker: string }
  | { readonly type: 'exit'; readonly worker: string; readonly code: number | null; readonly signal: string | null }
  | { readonly type: 'redis down' | 'redis up' }
  /** The machine was busy: a timer of the process fired this many milliseconds too late... */
  | { readonly type: 'late'; readonly worker: string; readonly ms: number }
  /** ... or the queue answered the chaos itself this late. */
  | { readonly type: 'slow'; readonly ms: number }
);

/** What is expected of a job in parts. */
export interface PartedPlan {
  readonly exactlyOnce: boolean;
  /** Records whose handler always throws. */
  readonly bad: readonly number[];
  /** What that means: the record is skipped, its part fails and so does the job, or only the part fails. */
  readonly then: 'skip' | 'fail' | 'continue';
}

export interface Seen {
  readonly percent: number | null;
  readonly processed: number;
  /** BullMQ lets the job wait for its parts. */
  readonly waits: boolean;
  /** Number of parts that have not ended. */
  readonly open: number;
}

/** What an operator asked for, and what it was answered. */
export interface Answer {
  readonly job: string;
  /** Names the request. A tuning and a restart have no such name in the history. */
  readonly by: string;
  readonly request: 'pause' | 'resume' | 'cancel' | 'tune' | 'restart';
  readonly askedAt: number;
  /** `unknown`: an outage, so it may have been written. */
  readonly outcome: 'ok' | 'refused' | 'unknown';
  /** Whether the job had ended, and how. */
  readonly before: string;
  readonly itemsPerSecond?: number;
}

/** The sequence orders the rows of all processes. */
export const LEDGER_TABLE = `CREATE TABLE ledger (
  seq bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), type text NOT NULL, job text NOT NULL,
  parent text, part int, run text NOT NULL, worker text NOT NULL, first int, last int, detail text
)`;

const COLUMNS = ['type', 'job', 'parent', 'part', 'run', 'worker', 'first', 'last', 'detail'] as const;
export type LedgerEntry = Pick<LedgerRow, (typeof COLUMNS)[number]>;

/** How an entry is written, in a transaction or without. */
export const LEDGER_INSERT = `INSERT INTO ledger (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((_, index) => `$${index + 1}`)})`;

export function valuesOf(entry: LedgerEntry): unknown[] {
  return COLUMNS.map((column) => entry[column] ?? null);
}

export const LEDGER_SELECT = `SELECT seq::float8 AS seq, extract(epoch FROM at)::float8 * 1000 AS at, ${COLUMNS.join(', ')}
  FROM ledger ORDER BY ledger.seq`;
