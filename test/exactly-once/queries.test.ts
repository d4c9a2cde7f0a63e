import { Injectable } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, type SelectQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  CreateIterationCheckpoint1795305600000,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

@Entity()
class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column() touched!: number;
}

let failures = 0;

@Injectable()
@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost, itemFailure: { then: 'skip' } })
class Touch {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly source: DataSource,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.typeorm.queries(this.source.getRepository(Account), { cursor, batchSize: 4 });
  }

  @EachIteration()
  async touch(batch: SelectQueryBuilder<Account>) {
    await batch
      .update()
      .set({ touched: () => 'touched + 1' })
      .execute();
    if ((await batch.clone().andWhere('"touched" = 2').getCount()) > 0) throw new Error('touched twice');
    if (failures-- > 0) throw new Error('not yet');
  }
}

describeQueues('batches of queries in transactions', ['redis'], (queues) => {
  let database: TestDatabase;
  let source: DataSource;
  beforeAll(async () => {
    database = await createDatabase();
    source = await new DataSource({
      type: 'postgres',
      url: database.url,
      entities: [Account],
      synchronize: true,
      migrations: [CreateIterationCheckpoint1795305600000],
    }).initialize();
    await source.runMigrations();
    await source.query('INSERT INTO account (touched) SELECT 0 FROM generate_series(1, 10)');
  });
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it('R24, R25: a failing batch rolls back and is halved; each row is written exactly once', async () => {
    failures = 2; // the first batch, and its first half
    const host = new TypeOrmTransactionHost(source);
    const app = await queues.start({
      processors: [
        Touch,
        { provide: DataSource, useValue: source },
        { provide: TypeOrmTransactionHost, useValue: host },
      ],
    });
    const job = await app.settled(await app.queue().add('touch', {}));
    expect(job.returnvalue).toEqual({ processed: 3, skipped: 0 });
    expect(await source.query('SELECT touched, count(*)::int AS rows FROM account GROUP BY 1')).toEqual([
      { touched: 1, rows: 10 },
    ]);
    expect(await source.query('SELECT * FROM iteration_checkpoint')).toEqual([]);
  });
});
