/**
 * One job of ours over the rows of a table, against one BullMQ job per row: read in the same pages of 1,000 by key,
 * added by `addBulk`, and processed meanwhile by a worker of concurrency 50 (target >= 30 times as fast, from the first
 * page read to the last row handled). The handlers do nothing. Interleaved, medians of five rounds. Then compares the
 * memory in Redis.
 *
 * `ROWS=30000` rows by default.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { openBareQueue } from './bare-queue.js';
import { counted, jobOver } from './contender.js';
import { createEntries } from './entries.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 30_000);
const PAGE = 1_000;
const CONCURRENCY = 50;

interface Row {
  readonly id: number;
}

const database = await createDatabase();
await createEntries(database, ROWS);
const client = new pg.Client({ connectionString: database.url });
await client.connect();

async function fetch(after: number): Promise<Row[]> {
  const text = `SELECT id, name FROM entry WHERE id > $1 ORDER BY id LIMIT ${PAGE}`;
  return (await client.query<Row>({ name: 'page', text, values: [after] })).rows;
}

@IterativeProcessor({ queue: QUEUE, name: 'rows' })
class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.keyset<Row, number>({ cursor, fetch: (after) => fetch(after ?? 0), key: ({ id }) => id });
  }

  @EachIteration()
  async each(_row: Row) {}
}

const app = await startApp([Rows]);
const redis = new Redis(app.place.connection);
const records = await openBareQueue(app, 'records', async () => {}, { concurrency: CONCURRENCY });
let completed = 0;
let finish = () => {};
records.worker.on('completed', () => {
  if (++completed === ROWS) finish();
});

try {
  const rounds = await interleaved({
    jobs: counted(ROWS, async () => {
      completed = 0;
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      await addAll();
      await finished;
      return completed;
    }),
    ours: jobOver(ROWS, app, 'rows'),
  });
  report(
    rounds.rates('one job over all records', {
      ...{ ours: 'ours', against: 'jobs', items: ROWS, unit: 'records', target: { atLeast: 30 } },
      name: `a BullMQ job per record (addBulk, concurrency ${CONCURRENCY})`,
    }),
  );
  await reportBytes();
} finally {
  await records.close();
  await redis.quit();
  await app.close();
  await client.end();
  await database.drop();
}

async function addAll(): Promise<void> {
  const opts = { removeOnComplete: true };
  for (let after = 0; ; ) {
    const page = await fetch(after);
    await records.queue.addBulk(page.map(({ id }) => ({ name: 'record', data: { id }, opts })));
    if (page.length < PAGE) return;
    after = (page[PAGE - 1] as Row).id;
  }
}

/** Compares the bytes of the waiting records with those of our job after it has handled them. */
async function reportBytes(): Promise<void> {
  await records.worker.close();
  await addAll();
  const theirs = await bytesOf('records');
  await app.queue.obliterate({ force: true });
  await app.run('rows');
  const ours = await bytesOf(QUEUE);
  report({
    what: `Redis for ${ROWS} records, without the stream of events`,
    ours: `${ours} bytes in all, ${(ours / ROWS).toFixed(2)} a record`,
    against: `a BullMQ job per record: ${Math.round(theirs / ROWS)} bytes a record`,
  });
}

async function bytesOf(queue: string): Promise<number> {
  const keys = await redis.keys(`${app.place.prefix}:${queue}:*`);
  const pipeline = redis.pipeline();
  for (const key of keys) if (!key.endsWith(':events')) pipeline.memory('USAGE', key);
  const answers = (await pipeline.exec()) ?? [];
  return answers.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
