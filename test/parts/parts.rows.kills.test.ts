import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CreateIterationCheckpoint1795305600000 } from '../../lib/exactly-once/typeorm/typeorm.migration.js';
import type { TypeOrmPartsConfig } from '../processes/typeorm-parts.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

/** `PARTS_KILLS=100 PARTS_ROWS=1000000 PARTS_ITEM_MS=0` proves more, each kind on each backend. */
const isLong = process.env.PARTS_KILLS !== undefined || process.env.CI === 'true';
const KILLS = Number(process.env.PARTS_KILLS ?? 6);
const ROWS = Number(process.env.PARTS_ROWS ?? 3_000);
const ITEM_MS = Number(process.env.PARTS_ITEM_MS ?? 8);
const PARTS = 16;
const PROCESSES = 4;
const CONCURRENCY = 2;
const EVERY_ITEMS = 20;
/** The longest time between two kills. */
const LIFE_MS = 600;
/** Kills in the job's own runs: in `@BuildPartitions`, in `start` and in `complete`. */
const OWN_KILLS = 3;

describeQueues('random kills of a job in parts', BACKENDS, (queues) => {
  let database: TestDatabase;
  let source: DataSource;
  beforeAll(async () => {
    database = await createDatabase();
    const migrations = [CreateIterationCheckpoint1795305600000];
    source = await new DataSource({ type: 'postgres', url: database.url, migrations }).initialize();
    await source.runMigrations();
    await database.query('CREATE TABLE effect (id int NOT NULL)');
    await database.query(
      `CREATE TABLE entry AS SELECT n AS id, n = ${ROWS} AS is_last FROM generate_series(1, ${ROWS}) n`,
    );
    await database.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
    await database.query('ANALYZE entry');
  });
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  async function killed(name: 'plain' | 'transactional') {
    const seed = Number(process.env.PARTS_SEED ?? Date.now() % 100_000);
    const random = randomOf(seed);
    const directory = mkdtempSync(join(tmpdir(), 'iteration-test-deaths-'));
    const goOn = join(directory, 'last row');
    const app = await queues.start({ iteration: { workers: false } });
    const config: TypeOrmPartsConfig = {
      place: queues.place,
      postgresQueue: queues.backend === 'postgres',
      databaseUrl: database.url,
      parts: PARTS,
      transactions: true,
      itemMs: ITEM_MS,
      saysRows: true,
      holdUntil: goOn,
      deaths: directory,
      iteration: {
        checkpoint: { everyItems: EVERY_ITEMS },
        crashes: { limit: 1_000 },
        worker: { ...LASTING_LOCKS, concurrency: CONCURRENCY },
      },
    };
    const died = (pid: number | undefined) => endLocksOf(pid, queues);
    const crew = new Crew<TypeOrmPartsConfig>(() => config, 'typeorm-parts', { size: PROCESSES, died });
    try {
      const job = await app.queue().add(name, {});
      while (crew.killed < KILLS - 1) {
        const working = await until(`a part is run after ${crew.killed} kills (seed ${seed})`, () => {
          const found = crew.alive.filter(({ lines }) => lines.some((line) => line.startsWith('row ')));
          return found[Math.floor(random() * found.length)];
        });
        await delay(random() * LIFE_MS);
        await working.kill();
      }
      writeFileSync(goOn, '');
      const { failedReason, returnvalue } = await app.settled(job);
      expect([failedReason, returnvalue]).toEqual([undefined, { processed: ROWS, skipped: 0 }]);
      expect(crew.killed).toBe(KILLS);
      expect([crew.count(/^start/), crew.count(/^complete/)]).toEqual([1, 1]);
      expect(await app.queue().getJobCounts()).toMatchObject({ completed: 1, failed: 0, active: 0, waiting: 0 });
      return crew.lines.flatMap((line) => {
        const [, row] = /^row (\d+) /.exec(line) ?? [];
        return row ? [Number(row)] : [];
      });
    } finally {
      await crew.dismiss();
      rmSync(directory, { recursive: true });
    }
  }

  const kinds = isLong ? ['plain', 'transactional'] : queues.backend === 'redis' ? ['plain'] : ['transactional'];

  if (kinds.includes('plain')) {
    it(`R18, R27: ${KILLS} kills, ${OWN_KILLS} of them in the job's own runs, lose no row and repeat a bounded number`, async () => {
      const rows = await killed('plain');
      const repeats = rows.length - ROWS;
      console.log(`${KILLS} kills (${queues.backend}): ${repeats} of ${ROWS} rows are repeated`);
      expect(new Set(rows).size).toBe(ROWS);
      expect(repeats).toBeLessThanOrEqual((KILLS - OWN_KILLS) * CONCURRENCY * (EVERY_ITEMS + 1));
    });
  }

  if (kinds.includes('transactional')) {
    it(`R25, R27: with transactions, each row's effect is there exactly once after ${KILLS} kills`, async () => {
      await killed('transactional');
      const [counts] = await database.query('SELECT count(*)::int, count(DISTINCT id)::int AS ids FROM effect');
      expect(counts).toEqual({ count: ROWS, ids: ROWS });
      expect(await database.query('SELECT * FROM iteration_checkpoint')).toEqual([]);
    });
  }
});
