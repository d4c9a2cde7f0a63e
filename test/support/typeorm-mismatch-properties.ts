import { appendFileSync } from 'node:fs';
import fc from 'fast-check';
import { type DataSource, type DataSourceOptions, EntitySchema, DataSource as TypeOrm } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { CASES } from './cases.js';
import { type Driver, type DriverName, databaseName } from './typeorm-drivers.js';
import { type Followed, follow, type MismatchRow } from './typeorm-mismatch.js';
import { type MismatchCase, mismatchCases } from './typeorm-mismatch-cases.js';

const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_128);

/** How a table is read: exactly, refused before the first row, or stopped at a value that no key can hold. */
type Verdict = 'exact' | 'refused' | 'stopped';

/**
 * R1 over random pairs of an entity and a table: the source returns all rows once, in the order of one query, or throws
 * an error of this library before it loses a row.
 */
export function itFollowsAnyTable(name: DriverName, driver: Driver): void {
  const database = databaseName(name);
  let opened: Awaited<ReturnType<Driver['open']>>;
  let table: DataSource;
  beforeAll(async () => {
    opened = await driver.open();
    table = await new TypeOrm(opened.options).initialize();
    if (driver.family === 'postgresql') for (const sql of TYPES) await table.query(sql);
  });
  afterAll(async () => {
    await table?.destroy();
    await opened?.drop();
  });

  it(`R1: ${CASES} mismatched tables on ${database} are read exactly or refused`, { timeout: 600_000 }, async () => {
    const verdicts: Record<Verdict, number> = { exact: 0, refused: 0, stopped: 0 };
    let rows = 0;
    const property = fc.asyncProperty(mismatchCases(driver.family), async (generated) => {
      const { followed, expected } = await tried(opened.options, generated);
      verdicts[verdictOf(followed, expected)]++;
      rows += followed.ids.length;
    });
    await fc.assert(property, { numRuns: CASES, seed: SEED, endOnFailure: true });
    report({ source: 'typeorm.records of another table', database, cases: CASES, records: rows, ...verdicts });
    expect(verdicts.exact).toBeGreaterThan(0);
    expect(verdicts.refused).toBeGreaterThan(0);
  });
}

const TYPES = [
  'CREATE EXTENSION citext',
  "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
  "CREATE TYPE level AS ENUM ('zero', 'alpha', 'middle')",
  'CREATE DOMAIN level_domain AS level',
  'CREATE DOMAIN price_base AS numeric',
  'CREATE DOMAIN price_domain AS price_base',
];

function verdictOf({ ids, error }: Followed, expected: readonly number[]): Verdict {
  expect(new Set(ids).size).toBe(ids.length);
  // MariaDB itself sorts texts with a character of code 0 at their end in one order with a limit, and in another
  // without.
  const isAmbiguous = error?.message.includes('no text with a character of code 0');
  if (!isAmbiguous) expect(ids).toEqual(expected.slice(0, ids.length)); // in order, and complete so far
  if (!error) {
    expect(ids).toEqual(expected);
    return 'exact';
  }
  const isNamed = [InvalidOptionsError, InvalidEnumeratorError, InvalidCursorError].some(
    (kind) => error instanceof kind,
  );
  if (!isNamed) throw error;
  if (ids.length === 0) return 'refused';
  expect(error.message).toMatch(/the key column ".*" came back as|two rows have the same key/);
  return 'stopped';
}

async function tried(
  options: DataSourceOptions,
  { columns, rows, zone, pageSize, stops }: MismatchCase,
): Promise<{ followed: Followed; expected: readonly number[] }> {
  const entity = new EntitySchema<MismatchRow>({
    name: 'Mismatched',
    tableName: 'm',
    columns: {
      id: { type: 'int', primary: true },
      ...Object.fromEntries(columns.map(({ declared }, index) => [`c${index}`, enumOf(declared)])),
    },
  });
  const source = await new TypeOrm({ ...options, entities: [entity] } as DataSourceOptions).initialize();
  try {
    await source.query('DROP TABLE IF EXISTS m');
    await setZone(source, zone);
    const definitions = columns.map(
      ({ real, nullable }, index) => `c${index} ${real.type}${nullable ? '' : ' NOT NULL'}`,
    );
    await source.query(`CREATE TABLE m (id int NOT NULL PRIMARY KEY, ${definitions.join(', ')})`);
    for (const [id, row] of rows.entries()) {
      const values = columns.map(({ real, nullable }, column) => valueAt(real.values, row[column] as number, nullable));
      await source.query(`INSERT INTO m VALUES (${[id + 1, ...values].join(', ')})`);
    }
    const key = columns.map(({ part }) => part);
    const last = key.at(-1)?.order ?? 'asc';
    const order = key.flatMap(({ column, order, nulls }) => [
      ...(nulls ? [`CASE WHEN ${column} IS NULL THEN 0 ELSE 1 END ${nulls === 'first' ? 'ASC' : 'DESC'}`] : []),
      `${column} ${order}`,
    ]);
    // SQL cannot sort a type without an order either, and then the key must be refused.
    const sorted = await source.query(`SELECT id FROM m ORDER BY ${order.join(', ')}, id ${last}`).catch(() => []);
    const expected = (sorted as MismatchRow[]).map(({ id }) => Number(id));
    const followed = await follow(source.getRepository(entity), { key, pageSize, stops, limit: 100 });
    return { followed, expected };
  } finally {
    await source.destroy();
  }
}

/** Gives an enum of the entity values, other than those of the table. */
function enumOf(declared: MismatchCase['columns'][number]['declared']) {
  return declared.type === 'enum' ? { ...declared, enum: ['a', 'b'] } : declared;
}

function valueAt(values: readonly string[], index: number, nullable: boolean): string {
  return nullable && index > 7 ? 'NULL' : (values[index % values.length] as string);
}

async function setZone(source: DataSource, zone: string): Promise<void> {
  const { type } = source.options;
  if (type === 'postgres') await source.query(`SET TIME ZONE '${zone}'`);
  // MariaDB knows the names of zones only after its zone tables were filled.
  if (type === 'mariadb' || type === 'mysql')
    await source.query(`SET time_zone = '${zone.includes('/') ? '+01:00' : zone}'`);
}

function report(line: Readonly<Record<string, string | number>>): void {
  const path = process.env.PROPERTY_REPORT;
  if (path) appendFileSync(path, `${JSON.stringify({ property: 'mismatched tables', ...line })}\n`);
}
