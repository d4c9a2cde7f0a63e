import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { PrismaBulkConfig } from '../processes/prisma-bulk.js';
import { describeQueues } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { WorkerProcess } from '../support/processes.js';
import { until } from '../support/until.js';

/** For a million rows, set `BULK_ROWS=1000000`. */
const ROWS = Number(process.env.BULK_ROWS ?? 30_000);
const BATCH = Math.min(1_000, ROWS / 300);
const KILLS = 5;
const MB = 2 ** 20;

interface Batch {
  readonly count: number;
  readonly rss: number;
  readonly heap: number;
}

describeQueues('bulk updates by prisma.wheres', ['redis'], (queues) => {
  let database: TestDatabase;
  const processes: WorkerProcess<PrismaBulkConfig>[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    await database.query(readFileSync(new URL('../support/prisma/schema.sql', import.meta.url), 'utf8'));
    await database.query(`INSERT INTO "Entry" SELECT n * 3, 'entry ' || n, now() FROM generate_series(1, ${ROWS}) n`);
    await database.query('VACUUM ANALYZE "Entry"');
  });

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.kill()));
  });

  afterAll(() => database.drop());

  function spawn(): WorkerProcess<PrismaBulkConfig> {
    const iteration = { worker: LASTING_LOCKS };
    // However late a kill is, its run has not ended.
    const hold = { untilRun: KILLS, rows: ROWS / (KILLS + 1) };
    const config = { place: queues.place, databaseUrl: database.url, batchSize: BATCH, iteration, hold };
    const process = new WorkerProcess<PrismaBulkConfig>(config, 'prisma-bulk');
    processes.push(process);
    return process;
  }

  async function doneRows(): Promise<number> {
    const [found] = await database.query<{ rows: number }>('SELECT count(*)::int AS rows FROM "Entry" WHERE done');
    return found?.rows ?? 0;
  }

  const batchesOf = ({ lines }: WorkerProcess<PrismaBulkConfig>): Batch[] =>
    lines.flatMap((line) => {
      const [, count, rss, heap] = /^batch \d+ (\d+) (\d+) (\d+)$/.exec(line) ?? [];
      return heap ? [{ count: Number(count), rss: Number(rss) / MB, heap: Number(heap) / MB }] : [];
    });

  it(`R1: prisma.wheres updates ${ROWS} rows exactly once over ${KILLS} kills, in constant memory`, async () => {
    const app = await queues.start({ iteration: { workers: false } });
    const alive = [spawn(), spawn()];
    await Promise.all(alive.map((process) => process.said(/^ready$/)));
    const job = await app.queue().add('bulk', {});
    const began = Date.now();
    for (let kill = 1; kill <= KILLS; kill++) {
      const enough = (kill * ROWS) / (2 * (KILLS + 1));
      const running = await until(
        `kill ${kill}`,
        async () =>
          (await doneRows()) >= enough && alive.find(({ lines }) => lines.at(-1)?.startsWith(`batch ${kill} `)),
      );
      await running.kill();
      await endLocksOf(running.child.pid, queues);
      alive.splice(alive.indexOf(running), 1, spawn());
    }
    await until('a worker completes', () => alive.some(({ lines }) => lines.includes('complete')));
    const seconds = (Date.now() - began) / 1_000;

    const touched = await database.query('SELECT touched, done, count(*)::int AS rows FROM "Entry" GROUP BY 1, 2');
    expect(touched).toEqual([{ touched: 1, done: true, rows: ROWS }]);
    await app.settled(job);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'completed', run: KILLS + 1, interruptions: 0 });
    const lives = processes.map(batchesOf).filter((batches) => batches.length > 0);
    expect(lives).toHaveLength(KILLS + 1);
    for (const batches of lives) {
      expect(Math.max(...batches.map(({ heap }) => heap))).toBeLessThan((batches[0] as Batch).heap + 64);
    }
    const report = lives.map((batches) => `${batches.length} batches, ${rangeOf(batches.map(({ rss }) => rss))} MB`);
    console.log(`${ROWS} rows in batches of ${BATCH}, ${KILLS} kills, ${seconds.toFixed(1)} s:\n${report.join('\n')}`);
  });
});

function rangeOf(values: readonly number[]): string {
  return `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`;
}
