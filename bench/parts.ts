/**
 * A job in 16 parts over a million rows of a PostgreSQL table, whose handler hashes each row: in four worker processes and in one,
 * each with a worker concurrency of 1. Prints the speed-up, and how busy each core of the machine was. Interleaved, medians of
 * three rounds.
 *
 * `ROWS=1000000`, `HASHES=100` a row and `ROUNDS=3` by default: the handler costs more than to read the row, which the database
 * does on the same cores. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and drops its own database there.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { Queue } from 'bullmq';
import type { TypeOrmPartsConfig } from '../test/processes/typeorm-parts.js';
import { redisConnection } from '../test/support/app.js';
import { createDatabase } from '../test/support/database.js';
import { until } from '../test/support/until.js';
import { report, spreadOf } from './figure.js';
import { asRate, inTurn } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 1_000_000);
const HASHES = Number(process.env.HASHES ?? 100);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const PARTS = 16;
const PROCESSES = 4;
/** Of a machine with two cores. */
const TARGET = { atLeast: 1.8 };

interface Race {
  readonly seconds: number;
  /** How busy each core was, of 1. */
  readonly cores: readonly number[];
}

const database = await createDatabase();
const place = { connection: redisConnection(), prefix: `bench-${randomUUID()}` };
const queue = new Queue('jobs', place);
const workers = new Set<ChildProcess>();
try {
  await database.query(`CREATE TABLE entry AS SELECT n AS id, false AS is_last FROM generate_series(1, ${ROWS}) n`);
  await database.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
  await database.query('VACUUM ANALYZE entry');

  const races = await inTurn<'one' | 'four', Race>(
    { one: () => race(1), four: () => race(PROCESSES) },
    { rounds: ROUNDS },
  );
  const rate = (name: 'one' | 'four') =>
    asRate(ROWS / spreadOf(races[name].map(({ seconds }) => seconds)).median, 'rows');
  const busy = (name: 'one' | 'four') =>
    cpus()
      .map((_, core) => `${(spreadOf(races[name].map(({ cores }) => cores[core] ?? 0)).median * 100).toFixed(0)} %`)
      .join(' and ');
  report({
    what: `a job of ${ROWS} rows in ${PARTS} parts on ${PROCESSES} processes, ${HASHES} hashes a row`,
    ours: rate('four'),
    against: `one process: ${rate('one')}`,
    ratio: spreadOf(races.four.map(({ seconds }, round) => (races.one[round] as Race).seconds / seconds)),
    target: TARGET,
  });
  report({
    what: 'the same: how busy the cores are',
    ours: busy('four'),
    against: `one process: ${busy('one')}`,
  });
} finally {
  for (const worker of workers) await end(worker);
  await queue.obliterate({ force: true });
  await queue.close();
  await database.drop();
}

/** One job, from `add` to its end, on so many processes. */
async function race(processes: number): Promise<Race> {
  const started = await Promise.all(Array.from({ length: processes }, start));
  const before = coreTimes();
  const beganAt = performance.now();
  const job = await queue.add('plain', {});
  await until('the job has completed', () => job.isCompleted());
  const seconds = (performance.now() - beganAt) / 1_000;
  const cores = coreTimes().map(({ busy, all }, core) => {
    const { busy: busyBefore, all: allBefore } = before[core] as { busy: number; all: number };
    return (busy - busyBefore) / (all - allBefore);
  });
  const { processed } = ((await queue.getJob(job.id as string))?.returnvalue ?? {}) as { processed?: number };
  if (processed !== ROWS) throw new Error(`The job has processed ${processed} of ${ROWS} rows`);
  for (const worker of started) await end(worker);
  return { seconds, cores };
}

function coreTimes(): { readonly busy: number; readonly all: number }[] {
  return cpus().map(({ times }) => {
    const all = Object.values(times).reduce((sum, time) => sum + time, 0);
    return { busy: all - times.idle, all };
  });
}

/** Starts a worker; resolves when it is ready. */
async function start(): Promise<ChildProcess> {
  const config: TypeOrmPartsConfig = {
    place,
    databaseUrl: database.url,
    parts: PARTS,
    hashes: HASHES,
    iteration: { worker: { concurrency: 1 } },
  };
  const worker = fork(new URL('../test/processes/typeorm-parts.js', import.meta.url), [JSON.stringify(config)], {
    silent: true,
    execArgv: [],
  });
  workers.add(worker);
  worker.stderr?.pipe(process.stderr);
  const lines = createInterface({ input: worker.stdout as NodeJS.ReadableStream });
  for await (const line of lines) if (line === 'ready') break;
  worker.stdout?.resume();
  return worker;
}

async function end(worker: ChildProcess): Promise<void> {
  workers.delete(worker);
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const closed = once(worker, 'close');
  worker.kill('SIGKILL');
  await closed;
}
