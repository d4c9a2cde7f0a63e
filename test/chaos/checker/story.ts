import type { LedgerRow, PartedPlan, RecordRow } from '../ledger.js';

/** The limits that the checker checks the contract with. */
export interface Rules {
  readonly checkpointMs: number;
  readonly lockMs: number;
  /** Effects were written in the run's transactions. */
  readonly exactlyOnce: boolean;
}

/** A broken rule, and the rows that prove it. */
export interface Breach {
  readonly rule: string;
  readonly job: string;
  readonly message: string;
  readonly evidence: readonly LedgerRow[];
}

export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** One run of one job in one process, read from the ledger. */
export interface Run {
  readonly id: string;
  readonly worker: string;
  readonly rows: readonly LedgerRow[];
  readonly items: readonly ItemRow[];
  readonly errors: readonly LedgerRow[];
  /** The `start` or `resume` of the run. */
  readonly beginnings: readonly LedgerRow[];
  readonly ends: readonly LedgerRow[];
  /** When the run learned that it had lost its lock. */
  readonly lostAt: number | undefined;
  /** When the next run of the job began. */
  readonly nextAt: number;
}

export type ItemRow = LedgerRow & { readonly first: number; readonly last: number };

/** What an operator asked of a job, as the job's history has it. */
export interface AskedOf {
  readonly type: 'pause' | 'resume' | 'cancel' | 'tune' | 'restart';
  /** When it was asked. The request is written after that. */
  readonly from: number;
  /** When it was written at the latest. */
  readonly to: number;
  /** Of `tune`. */
  readonly itemsPerSecond?: number | undefined;
}

/** One life of a job, or of a part of a job: a restart begins the next one. */
export interface JobStory {
  readonly id: string;
  readonly size: number;
  /** The first record. */
  readonly first: number;
  /** Effects were written in the run's transactions. */
  readonly exactlyOnce: boolean;
  /** Records that are never handled. */
  readonly bad: ReadonlySet<number>;
  readonly rows: readonly LedgerRow[];
  /** The runs that did more than build, in the order in which they began. */
  readonly runs: readonly Run[];
  readonly items: readonly ItemRow[];
  readonly state: string;
  readonly attemptsMade: number;
  /** In the order in which they were written. For a part: the requests to its job. */
  readonly requests: readonly AskedOf[];
  /** Of this life and those before. */
  readonly tunings: readonly AskedOf[];
  /** The rate that the status showed at the end of the last life. */
  readonly itemsPerSecond?: number | undefined;
}

/** One life of a job in parts. It has no items: its parts have. */
export interface ParentStory extends JobStory {
  readonly plan: PartedPlan;
  readonly parts: readonly PartStory[];
  readonly seen: readonly (RecordRow & { readonly type: 'seen' })[];
  /** Operators cancelled one of its parts by itself: it fails as a part of it did. */
  readonly isPartCancelledAlone: boolean;
  /** When the chaos saw that it had ended. */
  readonly endedAt: number;
  /** Of the last life: how it ended. */
  readonly settled: (RecordRow & { readonly type: 'settled' }) | undefined;
}

export interface PartStory extends JobStory {
  readonly index: number;
  /** What operators asked of this part alone. */
  readonly own: readonly AskedOf[];
}

/** What happened to a process. */
export interface WorkerStory {
  readonly readyAt: number | undefined;
  readonly killedAt: number | undefined;
  readonly termedAt: number | undefined;
  readonly exit: (RecordRow & { readonly type: 'exit' }) | undefined;
  readonly freezes: readonly Interval[];
  /** When the timers of the process fired too late. */
  readonly lateness: readonly Interval[];
}

export interface World {
  readonly rules: Rules;
  readonly workers: ReadonlyMap<string, WorkerStory>;
  readonly outages: readonly Interval[];
  /** When the queue answered too late. */
  readonly slowness: readonly Interval[];
}

export function isAct({ type }: LedgerRow): boolean {
  return type !== 'build' && type !== 'lost';
}

export function worldOf(record: readonly RecordRow[], rules: Rules): World {
  const workers = new Map<string, WorkerStory>();
  for (const [worker, rows] of groupBy(record.filter(isOfWorker), (row) => row.worker)) {
    workers.set(worker, {
      readyAt: rows.find(({ type }) => type === 'ready')?.at,
      killedAt: rows.find(({ type }) => type === 'kill')?.at,
      termedAt: rows.find(({ type }) => type === 'term')?.at,
      exit: rows.find((row) => row.type === 'exit'),
      freezes: intervals(rows, 'freeze', 'thaw'),
      lateness: delays(rows, 'late'),
    });
  }
  return { rules, workers, outages: intervals(record, 'redis down', 'redis up'), slowness: delays(record, 'slow') };
}

type OfWorker = RecordRow & { readonly worker: string };

function isOfWorker(row: RecordRow): row is OfWorker {
  return 'worker' in row;
}

function intervals(rows: readonly RecordRow[], from: RecordRow['type'], to: RecordRow['type']): readonly Interval[] {
  const ends = rows.filter(({ type }) => type === to);
  return rows
    .filter(({ type }) => type === from)
    .map((row, index) => ({ from: row.at, to: ends[index]?.at ?? Infinity }));
}

function delays(rows: readonly RecordRow[], type: 'late' | 'slow'): readonly Interval[] {
  return rows.flatMap((row) => (row.type === type && 'ms' in row ? [{ from: row.at - row.ms, to: row.at }] : []));
}

/** How long a worker was kept waiting during an interval, by the machine or by its queue. */
export function waitedMs(world: World, worker: string, interval: Interval): number {
  const delays = [...(world.workers.get(worker)?.lateness ?? []), ...world.slowness];
  return delays.reduce((ms, delay) => ms + overlapMs(delay, interval), 0);
}

/** Whether the worker was kept waiting around this row for so long that its job's lock may have expired by then. */
export function mayHaveLostLock({ at, worker }: LedgerRow, world: World): boolean {
  const { lockMs } = world.rules;
  const unrenewed = { from: at - 2 * lockMs, to: at + lockMs };
  return waitedMs(world, worker, unrenewed) >= lockMs * SHARE_OF_LOCK;
}

/** How long a worker was not frozen during an interval. */
export function awakeMs(world: World, worker: string, interval: Interval): number {
  const freezes = world.workers.get(worker)?.freezes ?? [];
  return freezes.reduce((ms, freeze) => ms - overlapMs(freeze, interval), interval.to - interval.from);
}

export function overlapMs(one: Interval, other: Interval): number {
  return Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from));
}

/**
 * A worker renews a lock at half of its duration: the lock is lost when the renewal is late by about the other half.
 */
export const SHARE_OF_LOCK = 1 / 4;

/**
 * The disturbance that may have ended a run without `end`. Its process was killed before the next run began, or was
 * frozen so long that its lock was in danger; or Redis was down; or the run lost its lock on a machine too busy to
 * renew it.
 */
export function excuseOf(run: Run, world: World): 'kill' | 'freeze' | 'outage' | 'busy machine' | undefined {
  const worker = world.workers.get(run.worker);
  const { lockMs } = world.rules;
  const lasted = { from: (run.rows[0] as LedgerRow).at, to: (run.rows.at(-1) as LedgerRow).at + lockMs };
  const hit = (interval: Interval) => overlapMs(interval, lasted) > 0;
  if (worker?.killedAt !== undefined && worker.killedAt < run.nextAt) return 'kill';
  if (worker?.freezes.some((freeze) => freeze.to - freeze.from > lockMs / 2 && hit(freeze))) return 'freeze';
  if (world.outages.some(hit)) return 'outage';
  if (run.lostAt === undefined) return undefined;
  const unrenewed = { from: run.lostAt - 2 * lockMs, to: run.lostAt };
  return waitedMs(world, run.worker, unrenewed) >= lockMs * SHARE_OF_LOCK ? 'busy machine' : undefined;
}

export function groupBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}
