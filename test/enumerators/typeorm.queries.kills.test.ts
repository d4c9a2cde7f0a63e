import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { TypeOrmBulkConfig } from '../processes/typeorm-bulk.js';
import { describeQueues } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { WorkerProcess } from '../support/processes.js';
import { until } from '../support/until.js';

/** `bench/bulk.ts` does the same with a million rows. */
const ROWS = 60_000;
const BATCH = 1_000;
const KILLS = 5;
const MB = 2 ** 20;

describeQueues('bulk updates by typeorm.queries', ['redis'], (queues) => {
  let database: TestDatabase;
  const processes: WorkerProcess<TypeOrmBulkConfig>[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    await database.query(`CREATE TABLE entry (id int PRIMARY KEY, is_done boolean NOT NULL DEFAULT false,
      times_touched int NOT NULL DEFAULT 0)`);
    await database.query(`INSERT INTO entry SELECT n * 3 FROM generate_series(1, ${ROWS}) n`);
    // The number of rows that each statement wrote, even if its worker was killed.
    await database.query('CREATE TABLE ledger (rows int)');
    await database.query(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO ledger SELECT count(*) FROM written; RETURN NULL; END $$`);
    await database.query(`CREATE TRIGGER noted AFTER UPDATE ON entry REFERENCING NEW TABLE AS written
      FOR EACH STATEMENT EXECUTE FUNCTION note()`);
    await database.query('VACUUM ANALYZE entry');
  });

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.kill()));
  });

  afterAll(() => database.drop());

  function spawn(): WorkerProcess<TypeOrmBulkConfig> {
    const iteration = { worker: LASTING_LOCKS };
    // However late a kill is, its run has not ended.
    const hold = { untilRun: KILLS, rows: ROWS / (KILLS + 1) };
    const config = { place: queues.place, databaseUrl: database.url, batchSize: BATCH, iteration, hold };
    const process = new WorkerProcess<TypeOrmBulkConfig>(config, 'typeorm-bulk');
    processes.push(process);
    return process;
  }

  const written = async () =>
    (await database.query<{ rows: number }>('SELECT rows FROM ledger')).map(({ rows }) => rows);

  it(`R1: typeorm.queries updates ${ROWS} rows exactly once over ${KILLS} kills, in constant memory`, async () => {
    const app = await queues.start({ iteration: { workers: false } });
    const alive = [spawn(), spawn()];
    await Promise.all(alive.map((process) => process.said(/^ready$/)));
    const job = await app.queue().add('bulk', {});
    for (let kill = 1; kill <= KILLS; kill++) {
      const enough = (kill * ROWS) / (2 * (KILLS + 1));
      const running = await until(`kill ${kill}`, async () => {
        const rows = (await written()).reduce((sum, count) => sum + count, 0);
        return rows >= enough && alive.find(({ lines }) => lines.at(-1)?.startsWith(`batch ${kill} `));
      });
      await running.kill();
      await endLocksOf(running.child.pid, queues);
      alive.splice(alive.indexOf(running), 1, spawn());
    }
    await until('a worker completes', () => alive.some(({ lines }) => lines.includes('complete')));

    const touched = await database.query(
      'SELECT is_done, times_touched, count(*)::int AS rows FROM entry GROUP BY 1, 2',
    );
    expect(touched).toEqual([{ is_done: true, times_touched: 1, rows: ROWS }]);
    const batches = await written();
    expect(Math.max(...batches)).toBe(BATCH);
    expect(batches.filter((rows) => rows > 0)).toHaveLength(ROWS / BATCH);
    await app.settled(job);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'completed', run: KILLS + 1, interruptions: 0 });
    const heaps = processes.map(heapsOf).filter(({ length }) => length > 0);
    expect(heaps).toHaveLength(KILLS + 1);
    for (const heap of heaps) expect(Math.max(...heap)).toBeLessThan((heap[0] as number) + 64 * MB);
  });
});

function heapsOf({ lines }: WorkerProcess<TypeOrmBulkConfig>): number[] {
  return lines.flatMap((line) => {
    const [, heap] = /^batch \d+ \d+ \d+ (\d+)$/.exec(line) ?? [];
    return heap ? [Number(heap)] : [];
  });
}
