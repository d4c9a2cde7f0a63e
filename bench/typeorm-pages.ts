/**
 * How long a page of `typeorm.records` by a timestamp and id takes, without reading ahead: in the first, the middle and
 * the last tenth of the rows, ascending and descending. Interleaved, medians of five rounds.
 *
 * `ROWS=1000000` rows by default. `DATABASE_URL` names the PostgreSQL server; the bench creates and drops its own
 * database there.
 */
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import type { Cursor } from '../lib/cursor.js';
import { sourceOf } from '../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../lib/enumerators/typeorm/typeorm.enumerator.js';
import { createDatabase } from '../test/support/database.js';
import { counted } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 1_000_000);
const TENTH = ROWS / 10;
const PAGE = 1_000;

@Entity('entry')
class Entry {
  @PrimaryColumn()
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
  entities: [Entry],
  synchronize: true,
}).initialize();
try {
  await database.query(`INSERT INTO entry (id, name, "createdAt")
    SELECT n, 'name ' || n, now() + n * interval '100 microseconds' FROM generate_series(1, ${ROWS}) n`);
  await database.query('CREATE INDEX ON entry ("createdAt", id)');
  await database.query('VACUUM ANALYZE entry');
  for (const order of ['asc', 'desc'] as const) await reportFlatness(order);
} finally {
  await dataSource.destroy();
  await database.drop();
}

async function reportFlatness(order: 'asc' | 'desc'): Promise<void> {
  const [middle, last] = [await cursorAt(4.5 * TENTH, order), await cursorAt(9 * TENTH, order)];
  const rounds = await interleaved({
    first: counted(TENTH, () => readTenth(null, order)),
    middle: counted(TENTH, () => readTenth(middle, order)),
    last: counted(TENTH, () => readTenth(last, order)),
  });
  for (const ours of ['middle', 'last'] as const)
    report(
      rounds.measures(`a page by (createdAt, id) ${order} in the ${ours} tenth of ${ROWS} rows`, {
        ...{ ours, against: 'first', name: 'in the first tenth' },
        asText: (seconds) => `${((seconds * 1_000) / (TENTH / PAGE)).toFixed(2)} ms`,
      }),
    );
}

/** Reads without reading ahead. */
async function readTenth(cursor: Cursor, order: 'asc' | 'desc'): Promise<number> {
  const key = ['createdAt', 'id'].map((column) => ({ column, order }));
  const reader = sourceOf(
    new TypeOrmEnumeratorBuilder().records(dataSource.getRepository(Entry), { cursor, key, pageSize: PAGE }),
  ).open();
  let count = 0;
  while (count < TENTH) {
    const page = await reader.next();
    if (!page || !('items' in page)) break;
    count += page.items.length;
  }
  await reader.close();
  return count;
}

/** The cursor after the first `rows` rows. */
async function cursorAt(rows: number, order: 'asc' | 'desc'): Promise<Cursor> {
  const [row] = await database.query<{ at: string; id: number }>(
    `SELECT to_json("createdAt") #>> '{}' AS at, id FROM entry ORDER BY "createdAt" ${order}, id ${order} LIMIT 1 OFFSET ${rows - 1}`,
  );
  return row ? [row.at, row.id] : null;
}
