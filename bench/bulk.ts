/**
 * `typeorm.queries` in a job: real worker processes update 1,000,000 rows in batches of 1,000, and five of them are
 * killed (SIGKILL) meanwhile. Counts the rows that were updated exactly once (target: all), and measures the speed
 * including the kills, and the memory of the workers.
 *
 * `ROWS=100000` sets another number of rows. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and
 * drops its own database there.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Queue } from 'bullmq';
import type { TypeOrmBulkConfig } from '../test/processes/typeorm-bulk.js';
import { redisConnection } from '../test/support/app.js';
import { createDatabase } from '../test/support/database.js';
import { until } from '../test/support/until.js';
import { asMegabytes, report } from './figure.js';
import { asRate } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 1_000_000);
const BATCH = 1_000;
const KILLS = 5;
const MINUTES = 60_000;

const place = { connection: redisConnection(), prefix: `bulk${randomUUID()}` };
const database = await createDatabase();
const queue = new Queue('jobs', place);
const workers: ChildProcess[] = [];
/** Memory of the workers, one entry per batch. */
const rss: number[] = [];
let running: ChildProcess | undefined;
let rows = 0;
let isComplete = false;

try {
  await database.query(`CREATE TABLE entry (id int PRIMARY KEY, is_done boolean NOT NULL DEFAULT false,
    times_touched int NOT NULL DEFAULT 0)`);
  await database.query(`INSERT INTO entry SELECT n * 3 FROM generate_series(1, ${ROWS}) n`);
  await database.query('VACUUM ANALYZE entry');
  await Promise.all([work(), work()]);
  await queue.add('bulk', {});
  const began = performance.now();
  for (let kill = 1; kill <= KILLS; kill++) {
    running = undefined;
    await until(`kill ${kill}`, () => isComplete || (running && rows >= (kill * ROWS) / (KILLS + 1)), 10 * MINUTES);
    if (isComplete) throw new Error(`the job was over before kill ${kill}: it needs more rows`);
    (running as ChildProcess | undefined)?.kill('SIGKILL');
    await work();
  }
  await until('the job is complete', () => isComplete, 10 * MINUTES);
  const seconds = (performance.now() - began) / 1_000;

  const [found] = await database.query<{ once: number }>(
    'SELECT count(*)::int AS once FROM entry WHERE is_done AND times_touched = 1',
  );
  report({
    what: `rows of ${ROWS} updated exactly once, in batches of ${BATCH}, with ${KILLS} kills`,
    ours: `${found?.once} rows`,
    target: { atLeast: ROWS },
  });
  report({ what: 'the same, from the first batch to the last', ours: asRate(ROWS / seconds, 'rows') });
  const megabytes = (bytes = 0) => asMegabytes(bytes);
  report({
    what: 'the same: RSS of the workers',
    ours: `at the end ${megabytes(rss.at(-1))}, at most ${megabytes(Math.max(...rss))}`,
    against: `at the start ${megabytes(rss[0])}, in the middle ${megabytes(rss[rss.length >> 1])}`,
  });
  if (found?.once !== ROWS) throw new Error(`${ROWS - (found?.once ?? 0)} rows were not updated exactly once`);
} finally {
  for (const worker of workers) await end(worker);
  await queue.obliterate({ force: true });
  await queue.close();
  await database.drop();
}

/** Starts a worker; resolves when it is ready. */
async function work(): Promise<void> {
  // short locks: the next worker waits less for the locks of a killed one
  const iteration = { worker: { lockDuration: 2_000, stalledInterval: 500 } };
  const config: TypeOrmBulkConfig = { place, databaseUrl: database.url, batchSize: BATCH, iteration };
  const worker = fork(new URL('../test/processes/typeorm-bulk.js', import.meta.url), [JSON.stringify(config)], {
    silent: true,
  });
  workers.push(worker);
  worker.stderr?.pipe(process.stderr);
  const lines = createInterface({ input: worker.stdout as NodeJS.ReadableStream });
  const ready = once(lines, 'line');
  lines.on('line', (line) => {
    const [, affected, bytes] = /^batch \d+ (\d+) (\d+) \d+$/.exec(line) ?? [];
    if (affected && !worker.killed) running = worker;
    if (affected) rows += Number(affected);
    if (bytes) rss.push(Number(bytes));
    if (line === 'complete') isComplete = true;
  });
  await ready;
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const closed = once(worker, 'close');
  worker.kill('SIGKILL');
  await closed;
}
