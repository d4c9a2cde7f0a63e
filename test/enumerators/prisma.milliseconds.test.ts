import { PrismaPg } from '@prisma/adapter-pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator, KeyColumn, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { PrismaClient } from '../support/prisma/generated/client.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();
const ROWS = 60;
const ORDERS = ['asc', 'desc'] as const;

vi.setConfig({ testTimeout: 120_000 });

/** A JS Date holds a DateTime of three digits exactly, so Prisma alone reads and compares it. */
describe('prisma by a DateTime of milliseconds', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
  }, 60_000);

  afterAll(() => tables.drop());

  beforeEach(() => {
    tables.queries = [];
  });

  /** Inserts rows 45 ms apart, four per time, so that texts end in any digit. Ids are not in time order. */
  async function insertStamps(): Promise<void> {
    await tables.database.query(`
      TRUNCATE "Stamp", "Tick";
      INSERT INTO "Stamp" SELECT (i * 7919) % 10007, i % 3, t, t, t AT TIME ZONE 'UTC', CASE WHEN i % 3 > 0 THEN t END,
        t AT TIME ZONE 'UTC' + i * interval '100 microseconds'
        FROM generate_series(1, ${ROWS}) i, LATERAL (SELECT timestamp '2024-01-01' + i / 4 * interval '45 milliseconds' AS t) x;
      INSERT INTO "Tick" SELECT timestamptz '2024-01-01Z' + i / 5 * interval '1 millisecond',
        timestamp '2024-01-01' - i % 5 * interval '1 millisecond' FROM generate_series(1, ${ROWS}) i;`);
  }

  const stamps = (options: KeysetOptions, client: unknown = prisma) =>
    builder.records((client as typeof prisma).stamp, {}, options);

  async function ids(enumerator: Enumerator<{ readonly id: number }>): Promise<number[]> {
    return (await pairsOf(enumerator)).map(([{ id }]) => id);
  }

  async function idsBy(orderBy: string): Promise<number[]> {
    const rows = await tables.database.query<{ id: number }>(`SELECT id FROM "Stamp" ORDER BY ${orderBy}`);
    return rows.map(({ id }) => id);
  }

  const sqlOf = (key: readonly KeyColumn[]) =>
    key.map(({ column, order, nulls }) => `"${column}" ${order}${nulls ? ` NULLS ${nulls}` : ''}`).join(', ');

  const keys: readonly (readonly [string, readonly KeyColumn[]])[] = [
    ...['plain', 'local', 'zoned'].flatMap((column) =>
      ORDERS.map((order) => [`${column} ${order}`, [{ column, order }]] as const),
    ),
    ...ORDERS.flatMap((order) =>
      (['first', 'last'] as const).map(
        (nulls) => [`maybe ${order}, nulls ${nulls}`, [{ column: 'maybe', order, nulls }]] as const,
      ),
    ),
    [
      'Int ascending, DateTime descending',
      [
        { column: 'rank', order: 'asc' },
        { column: 'zoned', order: 'desc' },
      ],
    ],
    [
      'two DateTimes, the first with nulls',
      [
        { column: 'maybe', order: 'desc', nulls: 'first' },
        { column: 'local', order: 'asc' },
      ],
    ],
  ];

  describe.each(keys)('%s', (name, key) => {
    beforeAll(insertStamps);

    const expected = () => idsBy(`${sqlOf(key)}, id ${key.at(-1)?.order}`);

    itKeepsTheEnumeratorContract(name, {
      size: 'exact',
      build: (at) => stamps({ ...at, key, pageSize: 7 }),
      identify: ({ id }) => id,
      expected,
      stretches: 5,
    });

    it('prisma.records executes only queries of pages, which Prisma generates', async () => {
      expect(await ids(stamps({ cursor: null, key, pageSize: ROWS / 4 }))).toEqual(await expected());
      const pages = tables.queries.filter((query) => /^SELECT "public"\."Stamp"\."id", /.test(query));
      expect(tables.queries).toEqual(pages);
      // Within one time, or one rank, a page may take queries of two or three ranges of the key.
      expect(pages.length).toBeLessThanOrEqual(5 * key.length + 5);
    });

    it('cursors read by Prisma equal cursors read by SQL', async () => {
      const bySql = prisma.$extends({ name: 'nothing changes' });
      const cursors = (pairs: readonly (readonly [unknown, Cursor])[]) => pairs.map(([, cursor]) => cursor);
      expect(cursors(await pairsOf(stamps({ cursor: null, key })))).toEqual(
        cursors(await pairsOf(stamps({ cursor: null, key }, bySql))),
      );
      expect(tables.queries.some((query) => query.includes('json_agg'))).toBe(true);
    });

    it('R1: prisma.wheres selects exactly its rows, resumed after every batch', async () => {
      const found: number[] = [];
      for (let cursor: Cursor = null, more = true; more; ) {
        more = false;
        for await (const [where, at] of builder.wheres(prisma.stamp, {}, { cursor, key, batchSize: 7 })) {
          expect(JSON.stringify(where)).not.toContain('"in"');
          found.push(...(await prisma.stamp.findMany({ where, orderBy: prismaOrder(key) })).map(({ id }) => id));
          [cursor, more] = [JSON.parse(JSON.stringify(at)) as Cursor, true];
          break;
        }
      }
      expect(found).toEqual(await expected());
    });
  });

  const prismaOrder = (key: readonly KeyColumn[]) => [
    ...key.map(({ column, order, nulls }) => ({ [column]: nulls ? { sort: order, nulls } : order })),
    { id: key.at(-1)?.order ?? 'asc' },
  ];

  describe('with times that all differ', () => {
    beforeAll(async () => {
      await insertStamps();
      await tables.database.query(`
        UPDATE "Stamp" SET plain = timestamp '2024-01-01' + id * interval '1 millisecond';
        UPDATE "Stamp" SET local = plain, zoned = plain AT TIME ZONE 'UTC', maybe = plain;`);
    });

    it.each(ORDERS.flatMap((order) => ['plain', 'local', 'zoned', 'maybe'].map((column) => ({ column, order }))))(
      'prisma.records executes exactly one query per page: $column $order',
      async ({ column, order }) => {
        const key: KeyColumn[] = [{ column, order, ...(column === 'maybe' && { nulls: 'last' }) }];
        expect(await ids(stamps({ cursor: null, key, pageSize: ROWS / 4 }))).toEqual(await idsBy(`plain ${order}`));
        expect(tables.queries).toHaveLength(5); // the last page is empty
      },
    );
  });

  describe('a model whose rows only its times identify', () => {
    beforeAll(insertStamps);

    itKeepsTheEnumeratorContract('by its primary key', {
      size: 'exact',
      build: (at) => builder.records(prisma.tick, {}, { ...at, pageSize: 7 }),
      identify: (row) => nameOf(row),
      expected: async () => (await prisma.tick.findMany({ orderBy: [{ at: 'asc' }, { beat: 'asc' }] })).map(nameOf),
      stretches: 5,
    });

    const nameOf = ({ at, beat }: { readonly at: Date; readonly beat: Date }) =>
      `${at.toISOString()} ${beat.toISOString()}`;

    it('prisma.records refuses the model before the first page if the table has microseconds', async () => {
      await tables.database.query('ALTER TABLE "Tick" ALTER beat TYPE timestamp(6)');
      const rows = pairsOf(builder.records(prisma.tick, {}, { cursor: null }));
      await expect(rows).rejects.toThrow(InvalidOptionsError);
      await expect(pairsOf(builder.records(prisma.tick, {}, { cursor: null }))).rejects.toThrow(
        'the key of Tick has a DateTime, of which Prisma has only milliseconds',
      );
      await tables.database.query('ALTER TABLE "Tick" ALTER beat TYPE timestamp(3)');
    });
  });

  describe('beside a DateTime of microseconds', () => {
    beforeAll(insertStamps);

    itKeepsTheEnumeratorContract('plain, fine', {
      size: 'exact',
      build: (at) => stamps({ ...at, key: ['plain', { column: 'fine', order: 'desc' }], pageSize: 7 }),
      identify: ({ id }) => id,
      expected: () => idsBy('plain, fine DESC, id DESC'),
      stretches: 5,
    });
  });

  describe('if the table has microseconds and the model has not', () => {
    beforeAll(async () => {
      await insertStamps();
      await tables.database.query(`
        CREATE DOMAIN "Milli" AS timestamp(3);
        ALTER TABLE "Stamp" ALTER plain TYPE timestamp, ALTER local TYPE timestamp(6), ALTER maybe TYPE "Milli";
        UPDATE "Stamp" SET plain = timestamp '2024-01-01' + id * interval '100 microseconds';
        UPDATE "Stamp" SET local = plain;`);
    });

    afterAll(() =>
      tables.database.query(
        'ALTER TABLE "Stamp" ALTER plain TYPE timestamp(3), ALTER local TYPE timestamp(3), ALTER maybe TYPE timestamp(3)',
      ),
    );

    it.each(['plain', 'local'])(
      'R1: prisma.records reads %s by SQL, and each row of a millisecond once',
      async (key) => {
        for (const order of ORDERS) {
          expect(await ids(stamps({ cursor: null, key: [{ column: key, order }], pageSize: 7 }))).toEqual(
            await idsBy(`${key} ${order}`),
          );
        }
        expect(tables.queries.some((query) => query.includes('json_agg'))).toBe(true);
      },
    );

    it('prisma.records treats a domain over milliseconds as milliseconds', async () => {
      const key = [{ column: 'maybe', order: 'asc', nulls: 'last' }] as const;
      expect(await ids(stamps({ cursor: null, key, pageSize: 7 }))).toEqual(await idsBy('maybe, id'));
      expect(tables.queries.some((query) => query.includes('json_agg'))).toBe(false);
    });
  });

  describe('cursors', () => {
    beforeAll(insertStamps);

    it('cursors are the texts that release 0.1.0 saved', async () => {
      const second = async (key: string) => (await pairsOf(stamps({ cursor: null, key })))[12]?.[1];
      expect(await second('plain')).toEqual(['2024-01-01T00:00:00.135', expect.any(Number)]);
      expect(await second('zoned')).toEqual(['2024-01-01T00:00:00.135+00:00', expect.any(Number)]);
      const [first] = await pairsOf(stamps({ cursor: null, key: 'zoned' }));
      expect(first?.[1]).toEqual(['2024-01-01T00:00:00+00:00', expect.any(Number)]);
    });

    it.each(['2024-01-01T00:00:00.09', '2024-01-01T00:00:00.09+00:00', '2024-01-01T00:00:00.090Z'])(
      'the cursor %s starts after its millisecond',
      async (time) => {
        const after = await ids(stamps({ cursor: [time, 20_000], key: 'plain', pageSize: 7 }));
        expect(after).toEqual((await idsBy('plain, id')).slice(11));
      },
    );

    it.each(ORDERS)('R1: a cursor saved while the column had microseconds loses no row, %s', async (order) => {
      const key = [{ column: 'plain', order }] as const;
      const all = await idsBy(`plain ${order}, id ${order}`);
      const time = '2024-01-01T00:00:00.0901';
      const rest = await ids(stamps({ cursor: [time, 5_000], key, pageSize: 7 }));
      expect(rest).toEqual(order === 'asc' ? all.slice(11) : all.slice(-11));
    });

    it('prisma.records refuses a cursor with a text that is not a timestamp', async () => {
      const rows = pairsOf(stamps({ cursor: ['2024-01-01', 1], key: 'plain' }));
      await expect(rows).rejects.toThrow('The timestamp 2024-01-01 cannot be in a key');
    });
  });

  describe.each(["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'12024-01-01'"])('a row with the time %s', (time) => {
    it.each(['plain', 'zoned'])('prisma.records yields the rows before it, then refuses the row by %s', async (key) => {
      for (const order of ORDERS) {
        await insertStamps();
        await tables.database.query(
          `INSERT INTO "Stamp" SELECT -1, 0, ${time}, ${time}, ${time}, ${time}, fine FROM "Stamp" LIMIT 1`,
        );
        const all = await idsBy(`${key} ${order}, id ${order}`);
        const by = [{ column: key, order }] as const;
        const seen: number[] = [];
        const reading = (async () => {
          for await (const [{ id }] of stamps({ cursor: null, key: by, pageSize: 1 })) seen.push(id);
        })();
        await expect(reading).rejects.toThrow(InvalidEnumeratorError);
        await expect(reading).rejects.toThrow(`as "${key}"`);
        await expect(reading).rejects.toThrow('Prisma reads only the years 1 to 9999');
        expect(seen).toEqual(all.slice(0, all.indexOf(-1)));
      }
    });

    it('prisma.wheres includes the row in a batch or refuses it, and never leaves it out', async () => {
      for (const order of ORDERS) {
        await insertStamps();
        await tables.database.query(
          `INSERT INTO "Stamp" SELECT -1, 0, ${time}, ${time}, ${time}, ${time}, fine FROM "Stamp" LIMIT 1`,
        );
        const all = await idsBy(`plain ${order}, id ${order}`);
        const seen: number[] = [];
        const key = [{ column: 'plain', order }] as const;
        const batches = (async () => {
          for await (const [where] of builder.wheres(prisma.stamp, {}, { cursor: null, key, batchSize: 4 }))
            seen.push(...(await prisma.stamp.findMany({ where, select: { id: true } })).map(({ id }) => id));
        })();
        if (all.indexOf(-1) === 0) await batches;
        else await expect(batches).rejects.toThrow('as "plain"');
        expect(new Set(seen)).toEqual(new Set(all.indexOf(-1) === 0 ? all : all.slice(0, -1)));
        expect(seen).toHaveLength(new Set(seen).size);
      }
    });
  });

  describe('in a session whose time zone is not UTC', () => {
    let abroad: PrismaClient;

    beforeAll(async () => {
      await insertStamps();
      const options = '-c TimeZone=America/New_York';
      abroad = new PrismaClient({ adapter: new PrismaPg({ connectionString: tables.database.url, options }) });
    });

    afterAll(() => abroad.$disconnect());

    it.each(ORDERS)('R1: prisma.records follows a time without a time zone, %s', async (order) => {
      const key = [{ column: 'plain', order }] as const;
      expect(await ids(stamps({ cursor: null, key, pageSize: 7 }, abroad))).toEqual(
        await idsBy(`plain ${order}, id ${order}`),
      );
    });

    it('prisma.records refuses a time with a time zone, which Prisma misreads', async () => {
      await expect(ids(stamps({ cursor: null, key: 'zoned' }, abroad))).rejects.toThrow("options: '-c TimeZone=UTC'");
    });
  });

  describe('through an extension that changes the times of its rows', () => {
    beforeAll(insertStamps);

    it('R1: prisma.records reads the key by SQL, and each row once', async () => {
      const later = prisma.$extends({
        result: { stamp: { plain: { needs: { plain: true }, compute: ({ plain }) => new Date(+plain + 90) } } },
      });
      expect(await ids(stamps({ cursor: null, key: 'plain', pageSize: 7 }, later))).toEqual(await idsBy('plain, id'));
      expect(tables.queries.some((query) => query.includes('json_agg'))).toBe(true);
    });
  });
});

async function pairsOf<Row>(enumerator: Enumerator<Row>): Promise<(readonly [Row, Cursor])[]> {
  const pairs: (readonly [Row, Cursor])[] = [];
  for await (const pair of enumerator) pairs.push(pair);
  return pairs;
}
