/**
 * A whole job over `typeorm.records`, with a handler that does nothing, against the bare TypeORM loop by id (target >=
 * 0.90 of its speed), in pages of 1,000. By a timestamp of microseconds, and by a primary key of two columns: against
 * the fastest bare loop that is exact by that key, and against the one by id. Interleaved, medians of fifteen rounds.
 *
 * `ROWS=300000` rows by default. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and drops its own
 * database there.
 */
import { Column, DataSource, Entity, PrimaryColumn, type Repository } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 300_000);
const PAGE = 1_000;
const ROUNDS = 15;

@Entity('entry')
class Entry {
  @PrimaryColumn()
  id!: number;

  @Column()
  name!: string;

  @Column('timestamptz')
  createdAt!: Date;
}

@Entity('line')
class Line {
  @PrimaryColumn()
  order!: number;

  @PrimaryColumn()
  number!: number;

  @Column()
  name!: string;

  @Column('timestamptz')
  createdAt!: Date;
}

const database = await createDatabase();
const dataSource = await new DataSource({
  type: 'postgres',
  url: database.url,
  entities: [Entry, Line],
  synchronize: true,
}).initialize();
const entries = dataSource.getRepository(Entry);
const lines = dataSource.getRepository(Line);

@IterativeProcessor({ queue: QUEUE, name: 'records' })
class Records {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { of, key } }: BuildContext<{ of: string; key?: string }>) {
    const rows: Repository<Entry | Line> = of === 'lines' ? lines : entries;
    return this.enumerators.typeorm.records(rows, { cursor, key, pageSize: PAGE });
  }

  @EachIteration()
  each(_row: Entry | Line) {}
}

function handle(_row: object): void {}

async function bareById(): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const page = await entries
      .createQueryBuilder('e')
      .where('e.id > :after', { after })
      .orderBy('e.id')
      .limit(PAGE)
      .getMany();
    for (const row of page) {
      handle(row);
      count++;
    }
    if (page.length < PAGE) return count;
    after = (page[PAGE - 1] as Entry).id;
  }
}

/**
 * A Date has only milliseconds, so each row carries its exact timestamp as text: a later query could miss a deleted
 * row.
 */
async function bareByTimestamp(): Promise<number> {
  let count = 0;
  for (let after: { at: string; id: number } = { at: '-infinity', id: 0 }; ; ) {
    const { entities, raw } = await entries
      .createQueryBuilder('e')
      .addSelect('CAST(e.createdAt AS text)', 'exact')
      .where('(e.createdAt, e.id) > (:at, :id)', after)
      .orderBy('e.createdAt')
      .addOrderBy('e.id')
      .limit(PAGE)
      .getRawAndEntities<{ exact: string }>();
    for (const row of entities) {
      handle(row);
      count++;
    }
    if (entities.length < PAGE) return count;
    after = { at: (raw[PAGE - 1] as { exact: string }).exact, id: (entities[PAGE - 1] as Entry).id };
  }
}

async function bareByTwoColumns(): Promise<number> {
  let count = 0;
  for (let after: Pick<Line, 'order' | 'number'> = { order: -1, number: 0 }; ; ) {
    const page = await lines
      .createQueryBuilder('l')
      .where('(l.order, l.number) > (:order, :number)', after)
      .orderBy('l.order')
      .addOrderBy('l.number')
      .limit(PAGE)
      .getMany();
    for (const row of page) {
      handle(row);
      count++;
    }
    if (page.length < PAGE) return count;
    after = page[PAGE - 1] as Line;
  }
}

const app = await startApp([Records]);
try {
  await database.query(`INSERT INTO entry (id, name, "createdAt")
    SELECT n, 'name ' || n, now() + n * interval '100 microseconds' FROM generate_series(1, ${ROWS}) n`);
  await database.query(`INSERT INTO line ("order", number, name, "createdAt")
    SELECT n / 1000, n, 'name ' || n, now() + n * interval '100 microseconds' FROM generate_series(1, ${ROWS}) n`);
  await database.query('CREATE INDEX ON entry ("createdAt", id)');
  await database.query('VACUUM ANALYZE');

  const rounds = await interleaved(
    {
      bareById: counted(ROWS, bareById),
      byId: jobOver(ROWS, app, 'records', { of: 'entries' }),
      bareByTimestamp: counted(ROWS, bareByTimestamp),
      byTimestamp: jobOver(ROWS, app, 'records', { of: 'entries', key: 'createdAt' }),
      bareByTwoColumns: counted(ROWS, bareByTwoColumns),
      byTwoColumns: jobOver(ROWS, app, 'records', { of: 'lines' }),
    },
    ROUNDS,
  );
  const rows = { items: ROWS, unit: 'rows' };
  const bare = { ...rows, against: 'bareById', name: 'bare TypeORM loop by id' } as const;
  const sameKey = { ...rows, name: 'bare TypeORM loop by the same key' };
  const [byTimestamp, byTwoColumns] = [
    'a job over typeorm.records by timestamp',
    'a job over typeorm.records by two columns',
  ];
  report(rounds.rates('a job over typeorm.records by id', { ...bare, ours: 'byId', target: { atLeast: 0.9 } }));
  report(rounds.rates(byTimestamp, { ...sameKey, ours: 'byTimestamp', against: 'bareByTimestamp' }));
  report(rounds.rates(byTimestamp, { ...bare, ours: 'byTimestamp' }));
  report(rounds.rates(byTwoColumns, { ...sameKey, ours: 'byTwoColumns', against: 'bareByTwoColumns' }));
  report(rounds.rates(byTwoColumns, { ...bare, ours: 'byTwoColumns' }));
} finally {
  await app.close();
  await dataSource.destroy();
  await database.drop();
}
