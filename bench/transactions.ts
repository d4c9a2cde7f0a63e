/**
 * What exactly-once costs (R25): a job whose handler writes a row, with a transaction for each item, for 100 items, and
 * for a batch of 100, against the same handler without transactions (each write commits alone), and against bare loops
 * of them. Interleaved, medians of five rounds.
 *
 * `WRITES=3000` written rows by default. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and drops
 * its own database there.
 */
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { PgTransactionHost } from '../test/support/pg.host.js';
import { QUEUE, startApp } from './app.js';
import { jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const WRITES = Number(process.env.WRITES ?? 3_000);
const BATCH = 100;

const database = await createDatabase();
const pool = new pg.Pool({ connectionString: database.url, max: 4 });
await pool.query('CREATE TABLE written (id int)');
await pool.query(PgTransactionHost.table);

type Writer = Pick<pg.PoolClient, 'query'>;
const write = (to: Writer, id: number) => to.query('INSERT INTO written VALUES ($1)', [id]);
const host = new PgTransactionHost(pool);

@Injectable()
abstract class Writes {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(WRITES, { cursor });
  }
}
@IterativeProcessor({ queue: QUEUE, name: 'writes' })
class PlainWrites extends Writes {
  @EachIteration()
  async each(id: number) {
    await write(pool, id);
  }
}
@IterativeProcessor({ queue: QUEUE, name: 'transactions', transactions: 'host' })
class TransactionEach extends Writes {
  @EachIteration()
  async each(id: number, { transaction }: IterationContext<unknown, pg.PoolClient>) {
    await write(transaction, id);
  }
}
@IterativeProcessor({ queue: QUEUE, name: 'grouped', transactions: 'host', itemsPerTransaction: BATCH })
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
@IterativeProcessor({ queue: QUEUE, name: 'plain batches' })
class PlainBatches extends WritesInBatches {
  @EachIteration()
  async each(batch: { id: string }[]) {
    await pool.query(INSERT_BATCH, [batch.map(({ id }) => id)]);
  }
}
@IterativeProcessor({ queue: QUEUE, name: 'batches', transactions: 'host' })
class TransactionBatches extends WritesInBatches {
  @EachIteration()
  async each(batch: { id: string }[], { transaction }: IterationContext<unknown, pg.PoolClient>) {
    await transaction.query(INSERT_BATCH, [batch.map(({ id }) => id)]);
  }
}

const app = await startApp([
  ...[PlainWrites, TransactionEach, Grouped, PlainBatches, TransactionBatches],
  { provide: 'host', useValue: host },
]);
const writing = (name: string) => jobOver(WRITES, app, name);
/** A job over batches. */
const writingBatches = (name: string) => jobOver(WRITES / BATCH, app, name);

try {
  const writes = await interleaved({
    bare: bareTransactions,
    saving: bareTransactionsThatSave,
    plain: writing('writes'),
    each: writing('transactions'),
    grouped: writing('grouped'),
    plainBatches: writingBatches('plain batches'),
    batches: writingBatches('batches'),
  });
  const rows = { items: WRITES, unit: 'rows' };
  const [each, grouped] = ['a job with a transaction for each item', `a job with ${BATCH} items in a transaction`];
  const plain = { against: 'plain', name: 'the same job without transactions' } as const;
  report(writes.rates(each, { ...rows, ours: 'each', against: 'bare', name: 'bare loop of transactions' }));
  report(
    writes.rates(each, { ...rows, ours: 'each', against: 'saving', name: 'bare loop of transactions that save too' }),
  );
  report(writes.rates(each, { ...rows, ours: 'each', ...plain }));
  report(writes.rates(grouped, { ...rows, ours: 'grouped', ...plain }));
  report(
    writes.rates(`a job with a transaction for a batch of ${BATCH}`, {
      ...{ ...rows, ours: 'batches', against: 'plainBatches', name: 'the same batches without' },
    }),
  );
} finally {
  await app.close();
  await pool.end();
  await database.drop();
}

async function bareTransactions(): Promise<void> {
  for (let id = 0; id < WRITES; id++) await host.run((transaction) => write(transaction, id));
}

async function bareTransactionsThatSave(): Promise<void> {
  const key = { prefix: 'p', queue: 'q', jobId: 'j', jobTimestamp: Date.now() };
  const holder = { life: 0, run: 1 };
  await host.claim(key, holder);
  for (let id = 0; id < WRITES; id++)
    await host.run(async (transaction) => {
      await write(transaction, id);
      await host.save(transaction, { key, holder, document: '{"cursor":1}' });
    });
}
