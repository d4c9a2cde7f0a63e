/**
 * What the guarantees cost, interleaved, medians of five rounds.
 *
 * A whole job over a `pg` keyset source with the default checkpoint (each second) against the same without any while it
 * runs (target: at most 3 % slower); the cost of one awaited checkpoint. A handler that writes a row, with transactions for
 * each item, for 100 items, and for a batch of 100, against the same handler without (each write committed by itself), and
 * against a bare loop with a transaction for each item.
 *
 * `ROWS=6000000` rows and `WRITES=5000` written rows by default.
 */
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import pg from 'pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
} from '../lib/index.js';
import { redisConnection } from '../test/support/app.js';
import { createDatabase } from '../test/support/database.js';
import { PgTransactionHost } from '../test/support/pg.host.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 6_000_000);
const WRITES = Number(process.env.WRITES ?? 5_000);
const BATCH = 100;

const database = await createDatabase();
const pool = new pg.Pool({ connectionString: database.url, max: 4 });
await pool.query(`CREATE TABLE entry AS SELECT n::int AS id, 'name ' || n AS name FROM generate_series(1, ${ROWS}) n`);
await pool.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
await pool.query('CREATE TABLE written (id int)');
await pool.query(PgTransactionHost.table);
await pool.query('VACUUM ANALYZE entry');

type Row = { readonly id: number };
type Writer = Pick<pg.PoolClient, 'query'>;
const write = (to: Writer, id: number) => to.query('INSERT INTO written VALUES ($1)', [id]);
const host = new PgTransactionHost(pool);

@Injectable()
abstract class Rows {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.keyset<Row, number>({
      cursor,
      fetch: async (after, limit) =>
        (await pool.query<Row>('SELECT * FROM entry WHERE id > $1 ORDER BY id LIMIT $2', [after ?? 0, limit])).rows,
      key: ({ id }) => id,
    });
  }
}

@IterativeProcessor({ queue: 'bench', name: 'checkpoints' })
class WithCheckpoints extends Rows {
  @EachIteration()
  each(_row: Row) {}
}
@IterativeProcessor({ queue: 'bench', name: 'no checkpoints', checkpoint: { everyMs: Infinity } })
class WithoutCheckpoints extends WithCheckpoints {}
@IterativeProcessor({ queue: 'bench', name: 'a checkpoint an item', checkpoint: { everyItems: 1 } })
class CheckpointEach extends WithCheckpoints {
  override build({ cursor }: BuildContext) {
    return this.enumerators.times(WRITES, { cursor }) as never;
  }
}

@Injectable()
abstract class Writes {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(WRITES, { cursor });
  }
}
@IterativeProcessor({ queue: 'bench', name: 'writes' })
class PlainWrites extends Writes {
  @EachIteration()
  async each(id: number) {
    await write(pool, id);
  }
}
@IterativeProcessor({ queue: 'bench', name: 'transactions', transactions: 'host' })
class TransactionEach extends Writes {
  @EachIteration()
  async each(id: number, { transaction }: IterationContext<unknown, pg.PoolClient>) {
    await write(transaction, id);
  }
}
@IterativeProcessor({ queue: 'bench', name: 'grouped', transactions: 'host', itemsPerTransaction: BATCH })
class Grouped extends TransactionEach {}

@Injectable()
abstract class WritesInBatches {
  constructor(private readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const { enumerators } = this;
    const rows = Buffer.from(`id\n${Array.from({ length: WRITES }, (_, id) => id).join('\n')}`);
    return enumerators.csv.batches<{ id: string }>(rows, { cursor, batchSize: BATCH });
  }
}
const INSERT_BATCH = 'INSERT INTO written SELECT unnest($1::int[])';
@IterativeProcessor({ queue: 'bench', name: 'plain batches' })
class PlainBatches extends WritesInBatches {
  @EachIteration()
  async each(batch: { id: string }[]) {
    await pool.query(INSERT_BATCH, [batch.map(({ id }) => id)]);
  }
}
@IterativeProcessor({ queue: 'bench', name: 'batches', transactions: 'host' })
class TransactionBatches extends WritesInBatches {
  @EachIteration()
  async each(batch: { id: string }[], { transaction }: IterationContext<unknown, pg.PoolClient>) {
    await transaction.query(INSERT_BATCH, [batch.map(({ id }) => id)]);
  }
}

const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };

@Module({
  imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: 'bench' }), IterationModule],
  providers: [
    ...[WithCheckpoints, WithoutCheckpoints, CheckpointEach, PlainWrites, TransactionEach, Grouped],
    ...[PlainBatches, TransactionBatches, { provide: 'host', useValue: host }],
  ],
})
class BenchModule {}

const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
const queue = app.get<Queue>(getQueueToken('bench'), { strict: false });
const events = new QueueEvents('bench', place);
await events.waitUntilReady();
const job = (name: string) => async () => {
  await ((await queue.add(name, {})) as Job).waitUntilFinished(events);
};

try {
  const { without, with: withCheckpoints } = await interleaved(
    { without: job('no checkpoints'), with: job('checkpoints') },
    5,
  );
  const cost = (withCheckpoints / without - 1) * 100;
  console.log(
    `the default checkpoint, keyset over pg: ${cost.toFixed(1)} % (target <= 3 %; ${seconds(withCheckpoints)} against ${seconds(without)})`,
  );
  const each = await interleaved({ ours: job('a checkpoint an item') });
  console.log(`one awaited checkpoint: ${((each.ours / WRITES) * 1e6).toFixed(0)} us`);

  const writes = await interleaved({
    both: async () => {
      const key = { prefix: 'p', queue: 'q', jobId: 'j', jobTimestamp: Date.now() };
      await host.claim(key, { life: 0, run: 1 });
      for (let id = 0; id < WRITES; id++)
        await host.run(async (transaction) => {
          await write(transaction, id);
          await host.save(transaction, { key, holder: { life: 0, run: 1 }, document: '{"cursor":1}' });
        });
    },
    bare: async () => {
      for (let id = 0; id < WRITES; id++) await host.run((transaction) => write(transaction, id));
    },
    plain: job('writes'),
    each: job('transactions'),
    grouped: job('grouped'),
    plainBatches: job('plain batches'),
    batches: job('batches'),
  });
  const line = (what: string, ours: number, than: string, other: number) =>
    console.log(
      `${what}: ${(WRITES / ours / 1_000).toFixed(1)} k rows/s, ${(other / ours).toFixed(2)} of ${than} (${seconds(other)})`,
    );
  line('a transaction for each item', writes.each, 'a bare loop of transactions', writes.bare);
  line('a transaction for each item', writes.each, 'a bare loop of transactions that save too', writes.both);
  line('a transaction for each item', writes.each, 'the same job without transactions', writes.plain);
  line(`${BATCH} items in a transaction`, writes.grouped, 'the same job without transactions', writes.plain);
  line(`a transaction for a batch of ${BATCH}`, writes.batches, 'the same batches without', writes.plainBatches);
} finally {
  await events.close();
  await queue.obliterate({ force: true });
  await app.close();
  await pool.end();
  await database.drop();
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}
