/**
 * The throughput of `typeorm.records` against a bare keyset loop of TypeORM by id (target >= 0.90), over 300,000 rows in
 * pages of 1,000. Interleaved, medians of five rounds.
 *
 * `DATABASE_URL` names the PostgreSQL server; the bench makes and drops a database of its own there.
 */
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { SourceEnumerator } from '../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../lib/enumerators/typeorm.enumerator.js';
import { createDatabase } from '../test/support/database.js';

const ROWS = 300_000;
const PAGE = 1_000;
const ROUNDS = 5;

@Entity('entry')
class Row {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @Column('timestamptz')
  createdAt!: Date;
}

const database = await createDatabase();
const dataSource = await new DataSource({
  type: 'postgres',
  url: database.url,
  entities: [Row],
  synchronize: true,
}).initialize();
try {
  await database.query(`INSERT INTO entry (name, "createdAt")
    SELECT 'name ' || n, now() + n * interval '100 microseconds' FROM generate_series(1, ${ROWS}) n`);
  await database.query('CREATE INDEX ON entry ("createdAt", id)');
  await database.query('VACUUM ANALYZE entry');
  const rows = dataSource.getRepository(Row);
  const builder = new TypeOrmEnumeratorBuilder();

  async function bare(): Promise<number> {
    let count = 0;
    for (let after = 0; ; ) {
      const page = await rows
        .createQueryBuilder('r')
        .where('r.id > :after', { after })
        .orderBy('r.id')
        .limit(PAGE)
        .getMany();
      for (const row of page) {
        after = row.id;
        count++;
      }
      if (page.length < PAGE) return count;
    }
  }

  async function records(key?: string): Promise<number> {
    let count = 0;
    const enumerator = builder.records(rows, { cursor: null, key, pageSize: PAGE }) as SourceEnumerator<Row>;
    const reader = enumerator.read(); // by pages, as a run does
    for (let page = await reader.next(); page; page = await reader.next()) for (const _ of page.items) count++;
    await reader.close();
    return count;
  }

  const variants = { bare, 'records by id': () => records(), 'records by createdAt': () => records('createdAt') };
  const rates = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const start = performance.now();
      const count = await run();
      if (count !== ROWS) throw new Error(`${name} gave ${count} rows of ${ROWS}`);
      if (round > 0) rates.get(name)?.push((count / (performance.now() - start)) * 1000);
    }
  }
  const median = (name: string) =>
    (rates.get(name) as number[]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
  for (const name of rates.keys()) {
    console.log(
      `${name}: ${Math.round(median(name))} rows/s, ${(median(name) / median('bare')).toFixed(2)} of a bare loop by id`,
    );
  }
} finally {
  await dataSource.destroy();
  await database.drop();
}
