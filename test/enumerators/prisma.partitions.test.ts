import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor, Json } from '../../lib/cursor.js';
import type { KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { InvalidCursorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { allOf } from '../support/part-properties.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();
const WHOLE = { after: null, until: null };
const MIDDLE = { after: 10, until: 16 };

describe('prisma.partitions', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;
  const idsOf = async (range: Json, key?: KeysetOptions['key']) =>
    (await allOf(builder.records(prisma.entry, {}, { cursor: null, range, key }))).map(({ id }) => id);

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
  });

  afterAll(() => tables.drop());

  beforeEach(async () => {
    await tables.database.query(`TRUNCATE "Entry";
      INSERT INTO "Entry" SELECT i, 'e' || i % 3, '2024-01-01T00:00:00Z'::timestamptz + i / 3 * interval '150 microseconds', i % 4 = 0
        FROM generate_series(1, 40) i`);
    tables.queries = [];
  });

  it('R27: parts are equal, their ends open, and no row is loaded for them', async () => {
    expect(await builder.partitions(prisma.entry, {}, { count: 4 })).toEqual([
      { after: null, until: 10 },
      { after: 10, until: 20 },
      { after: 20, until: 30 },
      { after: 30, until: null },
    ]);
    expect(tables.queries.filter((query) => query.includes('LIMIT'))).toHaveLength(3);
  });

  it('R27: the where is cut, not the whole table', async () => {
    const where = { done: true };
    const ranges = await builder.partitions(prisma.entry, { where }, { count: 3 });
    const read = ranges.map((range) => allOf(builder.records(prisma.entry, { where }, { cursor: null, range })));
    expect((await Promise.all(read)).map((rows) => rows.map(({ id }) => id))).toEqual([
      [4, 8, 12],
      [16, 20, 24],
      [28, 32, 36, 40],
    ]);
  });

  it('R27: a key of microseconds is cut between rows of one millisecond', async () => {
    const key = ['createdAt', 'id'];
    const ranges = await builder.partitions(prisma.entry, {}, { count: 7, key });
    expect(ranges).toHaveLength(7);
    const ids = await Promise.all(ranges.map((range) => idsOf(range, key)));
    expect(ids.flat()).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(ids.map(({ length }) => length)).toEqual([5, 6, 6, 5, 6, 6, 6]);
    const sizes = ranges.map((range) => builder.records(prisma.entry, {}, { cursor: null, range, key }).size?.());
    expect(await Promise.all(sizes)).toEqual([5, 6, 6, 5, 6, 6, 6]);
  });

  it('R27: an empty table, one of a row, and a count of 1 are one part', async () => {
    expect(await builder.partitions(prisma.entry, {}, { count: 1 })).toEqual([WHOLE]);
    await tables.database.query('DELETE FROM "Entry" WHERE id > 1');
    expect(await builder.partitions(prisma.entry, {}, { count: 9 })).toEqual([WHOLE]);
    await tables.database.query('TRUNCATE "Entry"');
    expect(await builder.partitions(prisma.entry, {}, { count: 9 })).toEqual([WHOLE]);
  });

  it('R27: an extended client that filters its rows reads each of them in one part', async () => {
    const extended = prisma.$extends({
      query: {
        entry: {
          findMany: ({ args, query }) => query({ ...args, where: { AND: [args.where ?? {}, { done: true }] } }),
        },
      },
    });
    const ranges = await builder.partitions(extended.entry, {}, { count: 4 });
    const read = ranges.map((range) => allOf(builder.records(extended.entry, {}, { cursor: null, range })));
    expect((await Promise.all(read)).flat().map(({ id }) => id)).toEqual([4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
  });

  itKeepsTheEnumeratorContract('a part of prisma.records', {
    size: 'exact',
    build: (at) => builder.records(prisma.entry, {}, { ...at, range: MIDDLE, pageSize: 2 }),
    identify: ({ id }) => id,
    expected: [11, 12, 13, 14, 15, 16],
  });
  itKeepsTheEnumeratorContract('a part of prisma.batches', {
    size: 'exact',
    build: (at) => builder.batches(prisma.entry, {}, { ...at, range: MIDDLE, batchSize: 4 }),
    identify: (batch) => String(batch.map(({ id }) => id)),
    records: (batch) => batch.map(({ id }) => id),
    expected: ['11,12,13,14', '15,16'],
  });

  it('R24: halves of the first batch of a part begin at the part', async () => {
    const wheres = builder.wheres(prisma.entry, {}, { cursor: null, range: MIDDLE, batchSize: 6 });
    expect(await wheres.size?.()).toBe(1);
    const [where] = await allOf(wheres);
    const halves = await wheres.halve?.(where ?? {}, null, 16);
    const ids = (halves ?? []).map(async ([half]) =>
      (await prisma.entry.findMany({ where: half })).map(({ id }) => id),
    );
    expect(await Promise.all(ids)).toEqual([
      [11, 12, 13],
      [14, 15, 16],
    ]);
  });

  it.each([5, 30])('R27: the cursor %i, which is outside of the range, is refused', async (cursor: Cursor) => {
    const read = [
      allOf(builder.records(prisma.entry, {}, { cursor, range: MIDDLE })),
      allOf(builder.batches(prisma.entry, {}, { cursor, range: MIDDLE })),
      allOf(builder.wheres(prisma.entry, {}, { cursor, range: MIDDLE })),
    ];
    for (const reading of await Promise.allSettled(read)) {
      expect((reading as PromiseRejectedResult).reason).toBeInstanceOf(InvalidCursorError);
    }
  });

  it.each<Json>([1, { after: 1 }, { after: 'a', until: null }, { after: [1, 2], until: null }])(
    'R27: the range %j, which is not a part, is refused',
    (range) => {
      const build = () => builder.records(prisma.entry, {}, { cursor: null, range });
      expect(build).toThrow(InvalidOptionsError);
      expect(build).toThrow('is not a part of this source: { after, until }');
    },
  );

  it('partitions refuses options that it does not have', async () => {
    const cut = builder.partitions(prisma.entry, {}, { count: 2, parts: 2 } as { count: number });
    await expect(cut).rejects.toThrow('prisma.partitions: unknown option "parts"');
  });
});
