import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Enumerator, KeyColumn } from '../../lib/enumerators/contract/index.js';
import { type ModelClient, openModel } from '../../lib/enumerators/prisma/client.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { tableOf } from '../../lib/enumerators/prisma/sql.js';
import { InvalidEnumeratorError } from '../../lib/iteration.errors.js';
import { type MixedWorld, openMixed } from '../support/prisma/mixed.js';
import type { DatabaseName } from '../support/prisma/mixed.types.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();
const long = (end: string) => `'${'x'.repeat(1_200)}${end}'`;

interface Table {
  readonly field: string;
  readonly sql: string;
  readonly nullable?: boolean;
  readonly values: readonly string[];
  readonly order?: 'asc' | 'desc';
}

const TABLES: Readonly<Record<DatabaseName, readonly (readonly [Table, string])[]>> = {
  postgresql: [
    [{ field: 'float', sql: 'numeric(30, 20)', values: ['0.1', '0.10000000000000000001'] }, 'is numeric(30,20) in'],
    [{ field: 'float', sql: 'real', values: ['0.1', '0.2'] }, 'is real in the table'],
    [{ field: 'dec', sql: 'float8', values: ['0.1', '0.2'] }, 'is double precision in the table'],
    [{ field: 'text', sql: '"Mood"', values: ["'calm'", "'loud'"] }, 'is "Mood" in the table'],
    [{ field: 'day', sql: 'timestamp(6)', values: ["'2026-01-01 12:00'"] }, 'is DateTime @db.Date in the model'],
    [{ field: 'int', sql: 'int', nullable: true, values: ['1', 'NULL'] }, 'may hold NULL in the table'],
  ],
  mariadb: [
    [{ field: 'long', sql: 'text', values: [long('2'), long('1')] }, 'at most 160 characters are exact'],
    [{ field: 'code', sql: 'char(5) COLLATE utf8mb4_unicode_nopad_ci', values: ["'a'", "'a '"] }, 'NO PAD collation'],
    [
      { field: 'vary', sql: 'varchar(9) COLLATE utf8mb4_nopad_bin', values: ["'a\\0'", "'a'"], order: 'desc' },
      'values that are not sorted as they are compared',
    ],
    [
      { field: 'text', sql: "enum('open', 'closed')", values: ["'open'", "'closed'"] },
      "is enum('open','closed') COLLATE",
    ],
    [{ field: 'flag', sql: 'tinyint(1)', values: ['1', '2'] }, 'NOT IN (0, 1)'],
    [{ field: 'int', sql: 'int', nullable: true, values: ['1', 'NULL'], order: 'desc' }, 'may hold NULL in the table'],
  ],
  sqlite: [
    [{ field: 'int', sql: 'INTEGER', values: ['1', '1.5'] }, "typeof(\"int\") NOT IN ('integer', 'null')"],
    [{ field: 'text', sql: 'TEXT', values: ["x'61'", "'a'"] }, "typeof(\"text\") NOT IN ('text', 'null')"],
    [{ field: 'flag', sql: 'BOOLEAN', values: ['1', '2'] }, 'NOT IN (0, 1)'],
    [{ field: 'int', sql: 'INTEGER', nullable: true, values: ['1', 'NULL'] }, 'may hold NULL in the table'],
  ],
};
const DATABASES = (Object.keys(TABLES) as DatabaseName[]).filter(
  (database) => database !== 'mariadb' || process.env.MARIADB_URL,
);

describe.each(DATABASES)('prisma over a table that differs from the model, on %s', (database) => {
  let world: MixedWorld;

  beforeAll(async () => {
    world = await openMixed(database);
  }, 60_000);

  afterAll(() => world.drop());

  it.each(TABLES[database])('prisma refuses $field over $sql before the first row', async (table, message) => {
    const { field, sql, nullable = false, values, order = 'asc' } = table;
    const type = { sql } as never;
    const id = { field: 'id', type: { sql: 'int' } as never, nullable: false };
    await world.make(
      [id, { field, type, nullable }],
      values.map((value, index) => [`${index}`, value]),
    );
    const options = { cursor: null, key: [{ column: field, order }], pageSize: 1 };
    const rows = rowsOf(builder.records(world.delegate, { select: { id: true } }, options));
    await expect(rows).rejects.toThrow(InvalidEnumeratorError);
    const wheres = rowsOf(builder.wheres(world.delegate, {}, options));
    await expect(wheres).rejects.toThrow(InvalidEnumeratorError);
    await expect(rowsOf(builder.records(world.delegate, { select: { id: true } }, options))).rejects.toThrow(message);
  });

  if (database === 'postgresql') return;
  it.each(['float', 'dec', 'at', 'mood'])('prisma refuses the key field %s at once', (column) => {
    const key: KeyColumn[] = [{ column, order: 'asc' }];
    expect(() => builder.records(world.delegate, {}, { cursor: null, key })).toThrow(
      `the key field "${column}" of Mixed is`,
    );
  });
});

describe('prisma by other unique keys', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(`INSERT INTO "Blob" SELECT int4send(i), 'c' || i, i % 2,
      (enum_range(NULL::"Place"))[1 + i % 2] FROM generate_series(1, 8) i`);
  }, 60_000);

  afterAll(() => tables.drop());

  it('R1: prisma.records pages a model with a Bytes id by another unique key', async () => {
    const codes = async (key?: string) =>
      (await rowsOf(builder.records(prisma.blob, {}, { cursor: null, pageSize: 3, ...(key && { key }) }))).map(
        ({ code }) => code,
      );
    expect(await codes()).toEqual(['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8']);
    expect(await codes('rank')).toEqual(['c2', 'c4', 'c6', 'c8', 'c1', 'c3', 'c5', 'c7']);
  });

  it('R1: prisma.records follows the database order of an enum that has a label with @', async () => {
    const rows = await rowsOf(builder.records(prisma.blob, {}, { cursor: null, pageSize: 3, key: 'place' }));
    expect(rows.map(({ place, code }) => `${place} ${code}`)).toEqual([
      ...['office c2', 'office c4', 'office c6', 'office c8', 'home c1', 'home c3', 'home c5', 'home c7'],
    ]);
  });

  it('prisma.records refuses a model whose only unique key is Bytes, and says what to add', () => {
    expect(() => builder.records(prisma.opaque, {}, { cursor: null })).toThrow(
      'which Prisma cannot compare. Give the model a unique constraint of other required fields',
    );
  });

  it('prisma.records refuses a Float key on a client before Prisma 7.4', () => {
    const $parent = Object.create(prisma as object, { _clientVersion: { value: '7.3.0' } }) as object;
    const author = Object.create(prisma.author, { $parent: { value: $parent } }) as typeof prisma.author;
    expect(() => builder.records(author, {}, { cursor: null, key: 'ratio' })).toThrow('which Prisma 7.3.0 rounds');
  });

  it('without an adapter, as in Prisma 6, a table is named without a schema: the connection selects it', () => {
    const { inlineSchema } = (prisma as unknown as ModelClient)._engineConfig;
    const $parent = Object.create(prisma as object, { _engineConfig: { value: { inlineSchema } } }) as object;
    const author = Object.create(prisma.author, { $parent: { value: $parent } }) as object;
    expect(tableOf(openModel(author, 'prisma.records'))).toBe('"Author"');
    expect(tableOf(openModel(prisma.author, 'prisma.records'))).toBe('"public"."Author"');
  });
});

async function rowsOf<Row>(enumerator: Enumerator<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const [row] of enumerator) rows.push(row);
  return rows;
}
