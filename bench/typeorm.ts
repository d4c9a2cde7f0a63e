/**
 * The throughput of `typeorm.records` against a bare keyset loop of TypeORM by id (target >= 0.90), over 300,000 rows in
 * pages of 1,000. Interleaved, medians of nine rounds. Then the cost of a page by a key of two columns over 1,000,000
 * rows, from the first tenth to the last, ascending and descending (target: flat).
 *
 * `DATABASE_URL` names the PostgreSQL server; the bench makes and drops a database of its own there.
 */
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { sourceOf } from '../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../lib/enumerators/typeorm/typeorm.enumerator.js';
import { createDatabase } from '../test/support/database.js';
import { readerOf } from '../test/support/pages.js';
import { median } from './interleaved.js';

const ROWS = 300_000;
const PAGE = 1_000;
const ROUNDS = 9;
const MANY_ROWS = 1_000_000;

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
    const enumerator = builder.records(rows, { cursor: null, key, pageSize: PAGE });
    const reader = readerOf(enumerator); // by pages, as a run does
    for (let page = await reader.next(); page; page = await reader.next()) for (const _ of page.items) count++;
    await reader.close();
    return count;
  }

  // Each round against the bare loop of the same round: the machine's own speed goes up and down meanwhile.
  const variants = { 'records by id': () => records(), 'records by createdAt': () => records('createdAt') };
  const ratios = new Map<string, number[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    const before = await secondsOf(bare);
    const seconds = new Map<string, number>();
    for (const [name, run] of Object.entries(variants)) seconds.set(name, await secondsOf(run));
    const bareSeconds = (before + (await secondsOf(bare))) / 2;
    if (round > 0) for (const [name, took] of seconds) ratios.get(name)?.push(bareSeconds / took);
  }
  for (const [name, all] of ratios) {
    const [least, most] = [Math.min(...all), Math.max(...all)];
    console.log(
      `${name}, ratio to a bare loop by id: ${median(all).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)} in ${ROUNDS} rounds)`,
    );
  }

  await database.query(`INSERT INTO entry (name, "createdAt")
    SELECT 'name ' || n, now() + n * interval '100 microseconds' FROM generate_series(${ROWS + 1}, ${MANY_ROWS}) n`);
  await database.query('VACUUM ANALYZE entry');
  for (const order of ['asc', 'desc'] as const) {
    const milliseconds: number[] = [];
    const key = ['createdAt', 'id'].map((column) => ({ column, order }));
    const reader = sourceOf(builder.records(rows, { cursor: null, key, pageSize: PAGE })).open(); // nothing is read ahead
    for (let begun = performance.now(); await reader.next(); begun = performance.now()) {
      milliseconds.push(performance.now() - begun);
    }
    await reader.close();
    const tenth = milliseconds.length / 10;
    const figures = [0, 4.5, 9].map((start) => median(milliseconds.slice(start * tenth, (start + 1) * tenth)));
    const [first, middle, last] = figures.map((figure) => figure.toFixed(2));
    console.log(
      `by (createdAt, id) ${order}, ${milliseconds.length} pages of ${PAGE}: ${first} ms a page in the first tenth, ` +
        `${middle} in the middle, ${last} in the last`,
    );
  }
} finally {
  await dataSource.destroy();
  await database.drop();
}

async function secondsOf(run: () => Promise<number>): Promise<number> {
  const start = performance.now();
  const count = await run();
  if (count !== ROWS) throw new Error(`it gave ${count} rows of ${ROWS}`);
  return (performance.now() - start) / 1000;
}
