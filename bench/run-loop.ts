/**
 * What a run costs above a bare loop, in one process and one run: a whole job (worker, checkpoints, hooks) over a keyset
 * source of `pg`, against the bare `pg` keyset loop by primary key (target >= 0.90); a job over an array with an async
 * handler against the flat await loop (target >= 0.55). Interleaved, medians of five rounds.
 *
 * `ROWS=300000` rows and `ITEMS=5000000` items by default.
 */
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import pg from 'pg';
import {
  type KeyedRow,
  keysetPages,
  readPages,
  type Source,
  SourceEnumerator,
} from '../lib/enumerators/contract/index.js';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterativeProcessor,
} from '../lib/index.js';
import { redisConnection } from '../test/support/app.js';
import { createDatabase } from '../test/support/database.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 300_000);
const ITEMS = Number(process.env.ITEMS ?? 5_000_000);
const PAGE = 1_000;

interface Row {
  readonly id: number;
  readonly name: string;
}

const database = await createDatabase();
const pool = new pg.Pool({ connectionString: database.url, max: 2 });
await pool.query(
  `CREATE TABLE entry AS SELECT n::int AS id, 'name ' || n AS name, now() AS at FROM generate_series(1, ${ROWS}) n`,
);
await pool.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
await pool.query('VACUUM ANALYZE entry');

const page = async (after: number) =>
  (await pool.query<Row>('SELECT * FROM entry WHERE id > $1 ORDER BY id LIMIT $2', [after, PAGE])).rows;

const rows: Source<Row> = {
  read: (bounds) =>
    readPages(
      keysetPages<Row>(
        {
          name: 'entry by id',
          columns: 1,
          pageSize: PAGE,
          fetch: async ({ after }) =>
            (await page((after?.[0] as number) ?? 0)).map((row): KeyedRow<Row> => ({ row, key: [row.id] })),
        },
        bounds,
      ),
    ),
};

@IterativeProcessor({ queue: 'bench', name: 'rows' })
class Rows {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return new SourceEnumerator(rows, cursor);
  }
  @EachIteration()
  each(_row: Row) {}
}

const items = Array.from({ length: ITEMS }, (_, index) => index);

@IterativeProcessor({ queue: 'bench', name: 'items' })
class Items {
  constructor(private readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.array(items, { cursor });
  }
  @EachIteration()
  async each(_item: number) {}
}

@IterativeProcessor({ queue: 'bench', name: 'sync items' })
class SyncItems extends Items {
  @EachIteration()
  override each(_item: number): never {
    return undefined as never;
  }
}

const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };

@Module({
  imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: 'bench' }), IterationModule],
  providers: [Rows, Items, SyncItems],
})
class BenchModule {}

const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
const queue = app.get<Queue>(getQueueToken('bench'), { strict: false });
const events = new QueueEvents('bench', place);
await events.waitUntilReady();
const job = (name: string) => async () => {
  const added = (await queue.add(name, {})) as Job;
  await added.waitUntilFinished(events);
};

try {
  const keyset = await interleaved({
    bare: async () => {
      for (let after = 0; ; ) {
        const next = await page(after);
        for (const row of next) after = row.id;
        if (next.length < PAGE) return;
      }
    },
    ours: job('rows'),
  });
  report('a job over a pg keyset source, against the bare loop', keyset, '>= 0.90');

  const handle = async (_item: number) => {};
  const flat = await interleaved({
    bare: async () => {
      for (const item of items) await handle(item);
    },
    ours: job('items'),
  });
  report('a job over an array with an async handler, against the flat await loop', flat, '>= 0.55');
  const sync = await interleaved({ ours: job('sync items') });
  console.log(`a job over an array with a synchronous handler: ${(ITEMS / sync.ours / 1e6).toFixed(1)} M items/s`);
} finally {
  await events.close();
  await queue.obliterate({ force: true });
  await app.close();
  await pool.end();
  await database.drop();
}

function report(what: string, { bare, ours }: { bare: number; ours: number }, target: string): void {
  console.log(
    `${what}: ${(bare / ours).toFixed(2)} (target ${target}; bare ${bare.toFixed(2)} s, ours ${ours.toFixed(2)} s)`,
  );
}
