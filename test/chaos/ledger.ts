/** What a worker writes down, in the order of the database's sequence. */
export interface LedgerRow {
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /**
   * `build`: a run has begun to build. `item`: an effect. `error`: a handler is about to throw. `lost`: the run was told
   * that it has lost its lock. Else a hook.
   */
  readonly type: 'build' | 'item' | 'error' | 'lost' | Hook;
  readonly job: string;
  /** Names one run of one job in one process. */
  readonly run: string;
  /** The process. */
  readonly worker: string;
  /** Of an item: the positions in its job of the first and the last record that it is made of. */
  readonly first: number | null;
  readonly last: number | null;
  /** Of `end`: its outcome. Of `interrupt`: its reason. Of `build`: the cursor. */
  readonly detail: string | null;
}

export type Hook = 'start' | 'resume' | 'interrupt' | 'complete' | 'fail' | 'cancel' | 'end';

/** What the chaos itself did and saw. */
export type RecordRow = { readonly at: number } & (
  | { readonly type: 'added'; readonly job: string; readonly size: number }
  | { readonly type: 'settled'; readonly job: string; readonly state: string; readonly attemptsMade: number }
  | { readonly type: 'unsettled'; readonly job: string; readonly state: string }
  | { readonly type: 'ready' | 'kill' | 'term' | 'freeze' | 'thaw'; readonly worker: string }
  | { readonly type: 'exit'; readonly worker: string; readonly code: number | null; readonly signal: string | null }
  | { readonly type: 'redis down' | 'redis up' }
  /** The machine was busy: so many milliseconds too late, a timer of the process was served... */
  | { readonly type: 'late'; readonly worker: string; readonly ms: number }
  /** ... or the queue answered a question of the chaos itself. */
  | { readonly type: 'slow'; readonly ms: number }
);

/** A sequence, so that rows have an order among all processes. */
export const LEDGER_TABLE = `CREATE TABLE ledger (
  seq bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), type text NOT NULL, job text NOT NULL,
  run text NOT NULL, worker text NOT NULL, first int, last int, detail text
)`;

const COLUMNS = ['type', 'job', 'run', 'worker', 'first', 'last', 'detail'] as const;
export type LedgerEntry = Pick<LedgerRow, (typeof COLUMNS)[number]>;

/** How an entry is written, in a transaction or without. */
export const LEDGER_INSERT = `INSERT INTO ledger (${COLUMNS.join(', ')}) VALUES ($1, $2, $3, $4, $5, $6, $7)`;

export function valuesOf(entry: LedgerEntry): unknown[] {
  return COLUMNS.map((column) => entry[column]);
}

export const LEDGER_SELECT = `SELECT seq::float8 AS seq, extract(epoch FROM at)::float8 * 1000 AS at, ${COLUMNS.join(', ')}
  FROM ledger ORDER BY ledger.seq`;
