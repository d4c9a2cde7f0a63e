/**
 * What a job costs as its rows grow from 10,000 to 10,000,000 (`enumerators.keyset` of `pg`), each run in a fresh
 * process: rows/s and peak memory against the smallest size, queries per million rows, and the Redis traffic (commands,
 * including those inside scripts, and bytes) per second against the next smaller size and against an idle worker.
 * Medians of five rounds, in turn, over a private redis-server. Takes some minutes.
 *
 * `ROWS=10000000` is the largest size, `ROUNDS=5` the rounds, `IDLE_SECONDS=10` how long the idle worker is watched.
 * `DATABASE_URL` names the server; the bench creates and drops its own database there.
 */
import { createDatabase } from '../test/support/database.js';
import { createEntries } from './entries.js';
import { asMegabytes, report, type Spread, spreadOf } from './figure.js';
import { asRate, inTurn } from './interleaved.js';
import { type Cost, WorkerCosts } from './worker-costs.js';

const ROWS = Number(process.env.ROWS ?? 10_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const IDLE_SECONDS = Number(process.env.IDLE_SECONDS ?? 10);
const SIZES = [ROWS / 1_000, ROWS / 100, ROWS / 10, ROWS];

const costs = await WorkerCosts.open();
const database = await createDatabase();
try {
  await createEntries(database, ROWS);
  const rounds = await inTurn<string, Cost>(
    {
      idle: () => costs.ofIdle(IDLE_SECONDS),
      ...Object.fromEntries(SIZES.map((items) => [items, () => costOf(items)])),
    },
    { rounds: ROUNDS },
  );
  for (const rows of SIZES) {
    reportSpeed(rows, rounds);
    reportMemory(rows, rounds);
    reportTraffic(rows, rounds);
  }
  reportIdle(rounds);
} finally {
  await costs.close();
  await database.drop();
}

type RoundsOfCost = Readonly<Record<string, readonly Cost[]>>;

function costOf(items: number): Promise<Cost> {
  return costs.of({ contender: 'ours', jobs: 1, items, databaseUrl: database.url });
}

function reportSpeed(rows: number, rounds: RoundsOfCost): void {
  const speeds = (size: number) => valuesOf(rounds[size], ({ seconds }) => size / seconds);
  report({
    what: `${asCount(rows)} rows: speed`,
    ours: asRate(middle(speeds(rows)), 'rows'),
    ...compared(rows, speeds),
  });
}

function reportMemory(rows: number, rounds: RoundsOfCost): void {
  const peaks = (size: number) => valuesOf(rounds[size], ({ peakBytes }) => peakBytes);
  report({
    what: `${asCount(rows)} rows: peak memory`,
    ours: asMegabytes(middle(peaks(rows))),
    ...compared(rows, peaks),
  });
}

/** Redis traffic depends on the run time, database queries on the number of pages. */
function reportTraffic(rows: number, rounds: RoundsOfCost): void {
  const of = (aspect: keyof Cost) => middle(valuesOf(rounds[rows], (cost) => cost[aspect]));
  const aMillion = (of('queries') / rows) * 1e6;
  report({ what: `${asCount(rows)} rows: queries`, ours: `${asCount(aMillion)} a million rows` });
  const traffic = `${asCount(of('commands'))} commands, ${asKilobytes(of('redisBytes'))} in ${of('seconds').toFixed(1)} s`;
  const what = `${asCount(rows)} rows: Redis traffic`;
  if (rows !== ROWS) {
    report({ what, ours: traffic });
    return;
  }
  const before = rows / 10;
  const [here, there] = [commandsBySecond(rows, rounds), commandsBySecond(before, rounds)];
  report({
    what,
    ours: `${traffic}; while it runs ${middle(here).toFixed(1)} commands/s`,
    against: `${asCount(before)} rows: ${middle(there).toFixed(1)} commands/s`,
    ratio: ratios(here, there),
  });
}

/** Redis commands per second, without those that a job of any size sends. */
function commandsBySecond(rows: number, rounds: RoundsOfCost): number[] {
  const ofAnyJob = middle(valuesOf(rounds[String(SIZES[0])], ({ commands }) => commands));
  return valuesOf(rounds[rows], ({ commands, seconds }) => (commands - ofAnyJob) / seconds);
}

function reportIdle(rounds: RoundsOfCost): void {
  const commands = valuesOf(rounds.idle, (cost) => cost.commands / cost.seconds);
  const bytes = valuesOf(rounds.idle, (cost) => cost.redisBytes / cost.seconds);
  const running = commandsBySecond(ROWS, rounds);
  report({
    what: 'Redis traffic of an idle worker',
    ours: `${middle(commands).toFixed(1)} commands/s, ${asKilobytes(middle(bytes))}/s`,
    against: `while a job runs: ${middle(running).toFixed(1)} commands/s`,
    ratio: ratios(commands, running),
  });
}

/** Compares with the smallest size. */
function compared(rows: number, of: (size: number) => number[]): { against: string; ratio: Spread } | undefined {
  const [smallest] = SIZES as [number];
  if (rows === smallest) return undefined;
  return { against: `${asCount(smallest)} rows`, ratio: ratios(of(rows), of(smallest)) };
}

function ratios(values: readonly number[], others: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (others[round] as number)));
}

function valuesOf(rounds: readonly Cost[] = [], aspect: (cost: Cost) => number): number[] {
  return rounds.map(aspect);
}

function middle(values: readonly number[]): number {
  return spreadOf(values).median;
}

function asCount(count: number): string {
  return Math.round(count).toLocaleString('en');
}

function asKilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
