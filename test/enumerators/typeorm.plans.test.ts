import { Column, DataSource, Entity, type Logger, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator, KeyColumn } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

const ROWS = 50_000;

@Entity('visit')
class Visit {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'timestamp', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamp', nullable: true })
  seen!: Date | null;
}

type Statement = readonly [sql: string, parameters: unknown[]];

/** Keeps the queries of pages, so that a test can EXPLAIN them. */
class PageLog implements Logger {
  pages: Statement[] = [];
  logQuery(sql: string, parameters: unknown[] = []): void {
    if (sql.includes('LIMIT')) this.pages.push([sql, parameters]);
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

const typeorm = new TypeOrmEnumeratorBuilder();
const key = (column: string, order: 'asc' | 'desc', nulls?: 'first' | 'last'): readonly KeyColumn[] => [
  { column, order, ...(nulls && { nulls }) },
  { column: 'id', order },
];

describe('the plan of a page of typeorm.records on PostgreSQL', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  const logger = new PageLog();

  beforeAll(async () => {
    database = await createDatabase();
    dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      entities: [Visit],
      synchronize: true,
      logging: ['query'],
      logger,
    }).initialize();
    await database.query(`INSERT INTO visit (created_at, seen)
      SELECT timestamp '2026-01-01' + n / 3 * interval '1 microsecond',
        CASE WHEN n % 40 > 0 THEN timestamp '2026-01-01' + n * interval '1 microsecond' END
      FROM generate_series(1, ${ROWS}) n`);
    await database.query('CREATE INDEX ON visit (created_at, id)');
    await database.query('CREATE INDEX ON visit (seen, id)');
    await database.query('VACUUM ANALYZE visit');
  });

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  /** The plan of a page in the middle, after a row with a value or with NULL. */
  async function planOf(columns: readonly KeyColumn[], after: 'value' | 'NULL' = 'value'): Promise<string> {
    const visits = dataSource.getRepository(Visit);
    const middle = visits.createQueryBuilder('v').where(`v.id BETWEEN ${ROWS / 2 - 20} AND ${ROWS / 2 + 20}`);
    const positions = await cursors(typeorm.records(middle, { cursor: null, key: columns }));
    const cursor = positions.find(([value]) => (value === null) === (after === 'NULL')) as Cursor;
    logger.pages = [];
    await first(typeorm.records(visits, { cursor, key: columns, pageSize: 10 }));
    const [sql, parameters] = logger.pages[0] as Statement;
    const lines = await database.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, parameters);
    return lines.map((line) => line['QUERY PLAN']).join('\n');
  }

  it.each([
    ['ascending', 'asc', 'Index Scan using', '(ROW(created_at, id) > ROW('],
    ['descending', 'desc', 'Index Scan Backward using', '(ROW(created_at, id) < ROW('],
  ] as const)('a page is one index range of a two-column key, %s', async (_, order, scan, condition) => {
    const plan = await planOf(key('createdAt', order));
    expect(plan).toContain(scan);
    expect(plan).toContain(`Index Cond: ${condition}`);
    expect(plan).not.toContain('Sort');
    expect(plan).not.toContain('Filter');
  });

  it.each([
    ['asc', 'first', '>'],
    ['asc', 'last', '>'],
    ['desc', 'first', '<'],
    ['desc', 'last', '<'],
  ] as const)('a page is one index range of a nullable column, %s with NULLs %s', async (order, nulls, operator) => {
    const [ofValues, ofNulls] = [
      await planOf(key('seen', order, nulls)),
      await planOf(key('seen', order, nulls), 'NULL'),
    ];
    expect(ofValues).toContain(`Index Cond: ((seen IS NOT NULL) AND (ROW(seen, id) ${operator} ROW(`);
    expect(ofNulls).toContain(`Index Cond: ((seen IS NULL) AND (id ${operator} `);
    for (const plan of [ofValues, ofNulls]) {
      expect(plan).toContain('Index Scan');
      expect(plan).not.toContain('Sort');
      expect(plan).not.toContain('Filter');
    }
  });
});

async function cursors(enumerator: Enumerator<unknown>): Promise<(readonly Cursor[])[]> {
  const found: (readonly Cursor[])[] = [];
  for await (const [, cursor] of enumerator) found.push(cursor as readonly Cursor[]);
  return found;
}

/** Reads one page, and the page ahead. */
async function first(enumerator: Enumerator<unknown>): Promise<void> {
  for await (const _ of enumerator) return;
}
