import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator, KeyColumn } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();

describe('nullable keys of Prisma', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(`
      INSERT INTO "Maybe" SELECT i, CASE WHEN i % 5 > 0 THEN (enum_range(NULL::"Mood"))[1 + i % 3] END,
        CASE WHEN i % 4 > 0 THEN i % 3 = 0 END, CASE WHEN i % 3 > 0 THEN sqrt(i % 7) END,
        CASE WHEN i % 2 > 0 THEN '2000-01-01'::date + i % 3 END, CASE WHEN i % 3 = 1 THEN md5(i::text)::uuid END
        FROM generate_series(1, 20) i;
      INSERT INTO "KeyRow" SELECT i, i % 2, CASE WHEN i % 3 > 0 THEN i % 4 END, 'n', CASE WHEN i % 2 > 0 THEN 'x' || i % 3 END,
        '2026-01-01'::timestamp + i / 5 * interval '300 microseconds',
        CASE WHEN i % 3 > 0 THEN '2026-01-01'::timestamp + i % 7 * interval '300 microseconds' END, i, i
        FROM generate_series(1, 24) i;
    `);
  });

  afterAll(() => tables.drop());

  async function sorted(table: string, key: readonly KeyColumn[], columns: Record<string, string> = {}) {
    const order = key.map(({ column, order, nulls }) => {
      const name = `"${columns[column] ?? column}"`;
      return `${name} ${order}${nulls ? ` NULLS ${nulls}` : ''}`;
    });
    const rows = await tables.database.query<{ id: number }>(`SELECT id FROM "${table}" ORDER BY ${order.join(', ')}`);
    return rows.map(({ id }) => id);
  }

  for (const column of ['mood', 'active', 'ratio', 'born', 'code']) {
    for (const [order, nulls] of [
      ['asc', 'first'],
      ['asc', 'last'],
      ['desc', 'first'],
      ['desc', 'last'],
    ] as const) {
      const key = [{ column, order, nulls }] as const;
      const withId = [...key, { column: 'id', order }];

      itKeepsTheEnumeratorContract(`${column} ${order}, nulls ${nulls}`, {
        size: 'exact',
        build: (at) => builder.records(prisma.maybe, {}, { ...at, key, pageSize: 3 }),
        identify: ({ id }) => id,
        expected: () => sorted('Maybe', withId),
        stretches: 4,
      });

      it(`prisma.wheres by ${column} ${order}, nulls ${nulls}, selects exactly its rows when resumed`, async () => {
        const found: number[][] = [];
        for (let cursor: Cursor = null, more = true; more; ) {
          more = false;
          const enumerator: Enumerator<object> = builder.wheres(prisma.maybe, {}, { cursor, key, batchSize: 3 });
          for await (const [where, reached] of enumerator) {
            found.push((await prisma.maybe.findMany({ where })).map(({ id }) => id).sort((a, b) => a - b));
            [cursor, more] = [JSON.parse(JSON.stringify(reached)) as Cursor, true];
            break;
          }
        }
        const all = await sorted('Maybe', withId);
        const batches = Array.from({ length: 7 }, (_, index) => all.slice(3 * index, 3 * index + 3));
        expect(found).toEqual(batches.map((batch) => batch.sort((a, b) => a - b)));
      });
    }
  }

  describe.each([
    { name: 'a DateTime', key: [{ column: 'seen', order: 'asc', nulls: 'last' }] },
    {
      name: 'nullable fields after a DateTime with ties',
      key: [
        { column: 'at', order: 'asc' },
        { column: 'maybe', order: 'desc', nulls: 'last' },
        { column: 'seen', order: 'asc', nulls: 'first' },
      ],
    },
    {
      name: 'a nullable DateTime, then another DateTime',
      key: [
        { column: 'seen', order: 'desc', nulls: 'first' },
        { column: 'at', order: 'asc' },
      ],
    },
    {
      name: 'several nullable fields, mixed directions',
      key: [
        { column: 'maybe', order: 'desc', nulls: 'last' },
        { column: 'note', order: 'asc', nulls: 'first' },
        { column: 'seen', order: 'desc', nulls: 'last' },
      ],
    },
  ] as { name: string; key: KeyColumn[] }[])('$name', ({ key }) => {
    itKeepsTheEnumeratorContract('prisma.records', {
      size: 'exact',
      build: (at) => builder.records(prisma.keyRow, {}, { ...at, key, pageSize: 4 }),
      identify: ({ id }) => id,
      expected: () =>
        sorted('KeyRow', [...key, { column: 'id', order: key.at(-1)?.order ?? 'asc' }], { note: 'a note' }),
      stretches: 4,
    });
  });

  it('prisma.records refuses a nullable key without the option nulls, and names the option', () => {
    for (const key of ['ratio', ['id', 'ratio'], [{ column: 'ratio', order: 'desc' as const }]]) {
      expect(() => builder.records(prisma.maybe, {}, { cursor: null, key })).toThrow(
        /^prisma\.records: the key field "ratio" of Maybe may be null, .* nulls: 'first' \| 'last' \}\] \}$/,
      );
    }
  });

  it('a required field accepts the option nulls, which has no effect', async () => {
    const key = [{ column: 'rank', order: 'desc', nulls: 'first' }] as const;
    const ids: number[] = [];
    for await (const [{ id }] of builder.records(prisma.keyRow, {}, { cursor: null, key, pageSize: 5 })) ids.push(id);
    expect(ids).toEqual(await sorted('KeyRow', [...key, { column: 'id', order: 'desc' }]));
  });

  it('prisma.records refuses a cursor with null for a required field', () => {
    const build = (cursor: Cursor) => builder.records(prisma.keyRow, {}, { cursor, key: 'rank' });
    expect(() => build([null, 3])).toThrow('has null for "rank", which is not an Int');
  });
});
