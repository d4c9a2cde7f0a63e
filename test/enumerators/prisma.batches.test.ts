import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type BatchOptions, type Enumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { type Prisma, PrismaClient } from '../support/prisma/generated/client.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();
const to = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const ids = (rows: readonly { id: number }[]) => rows.map(({ id }) => id);

/** 1 to 40 in arrays of `size`. */
const inBatches = (size: number) =>
  to(Math.ceil(40 / size)).map((batch) => to(40).slice((batch - 1) * size, batch * size));

describe('batches of Prisma', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(`
      INSERT INTO "Author" (id, email, name, score, rate, ratio, active, born)
        SELECT i, 'a' || i || '@x.org', CASE WHEN i % 2 = 0 THEN 'n' || i END, i % 4, (i % 5) / 3::numeric, sqrt(i % 7),
          i % 3 = 0, '2000-01-01'::date + i % 3 FROM generate_series(1, 40) i;
      UPDATE "Author" SET mood = (enum_range(NULL::"Mood"))[1 + id % 3];
      INSERT INTO "Post" SELECT i, 'p' || i, (i - 1) / 2 + 1 FROM generate_series(1, 40) i;
      INSERT INTO "Membership" SELECT i / 90, 'm' || to_char(i, 'FM0000') FROM generate_series(1, 300) i;
      INSERT INTO "Visit" SELECT i / 9, chr(97 + i % 9), '2024-01-01T00:00:00Z'::timestamptz + i / 4 * interval '300 microseconds'
        FROM generate_series(1, 60) i;
    `);
  });

  afterAll(() => tables.drop());

  beforeEach(async () => {
    await tables.database.query(`
      TRUNCATE "Entry", "event log";
      INSERT INTO "Entry" SELECT i, 'e' || i % 3, '2024-01-01T00:00:00Z'::timestamptz + i / 3 * interval '150 microseconds'
        FROM generate_series(1, 40) i;
      INSERT INTO "event log" SELECT (i * 7919) % 1000003, '2024-01-01T00:00:00.000017Z'::timestamptz + i * interval '100 microseconds',
         '2024-01-01T00:00:00.000017'::timestamp, i % 4, (enum_range(NULL::"Mood"))[1 + i % 3] FROM generate_series(1, 40) i`);
    tables.queries = [];
  });

  describe('prisma.batches', () => {
    for (const [name, options] of [
      ['of 7', { batchSize: 7 }],
      ['of 7, read in pages of 3', { batchSize: 7, pageSize: 3 }],
      ['of 7, read in pages of 100', { batchSize: 7, pageSize: 100 }],
      ['of pageSize rows', { pageSize: 7 }],
    ] as const) {
      itKeepsTheEnumeratorContract(`batches ${name}`, {
        size: 'exact',
        build: (at) => builder.batches(prisma.post, { select: { id: true } }, { ...at, ...options }),
        identify: (batch) => ids(batch),
        records: (batch) => ids(batch),
        expected: inBatches(7),
      });
    }

    it('the size of prisma.batches is its number of batches', async () => {
      const size = (where: Prisma.PostWhereInput) =>
        builder.batches(prisma.post, { where }, { cursor: null, batchSize: 7 }).size?.();
      expect([await size({}), await size({ id: { lte: 14 } }), await size({ id: 0 })]).toEqual([6, 2, 0]);
    });
  });

  describe('prisma.wheres', () => {
    const whereOf = (batch: readonly number[]) => {
      const [before, last] = [(batch[0] as number) - 1, batch.at(-1) as number];
      return before > 0 ? { AND: [{ id: { gt: before } }, { id: { lte: last } }] } : { id: { lte: last } };
    };
    for (const batchSize of [1, 7, 1_000]) {
      itKeepsTheEnumeratorContract(`wheres of ${batchSize}`, {
        size: 'exact',
        build: (at) => builder.wheres(prisma.post, {}, { ...at, batchSize }),
        records: async (where) => ids(await prisma.post.findMany({ where })),
        expected: inBatches(batchSize).map(whereOf),
      });
    }

    it('prisma.wheres reads one key per batch, and nothing else', async () => {
      await all(builder.wheres(prisma.post, { where: { title: { not: '' } } }, { cursor: 7, batchSize: 10 }));
      expect(tables.queries.slice(0, 3)).toEqual(
        Array(3).fill(
          'SELECT "public"."Post"."id" FROM "public"."Post" WHERE ("public"."Post"."title" <> $1 AND "public"."Post"."id" > $2) ' +
            'ORDER BY "public"."Post"."id" ASC LIMIT $3 OFFSET $4',
        ),
      );
      expect(tables.queries.length).toBeLessThanOrEqual(3 + 4);
      for (const query of tables.queries) expect(query).toMatch(/^SELECT "public"."Post"."id" FROM /);
    });

    it('prisma.wheres enters a composite index at the cursor, by equality of shared fields', async () => {
      const enumerator = builder.wheres(prisma.membership, {}, { cursor: [1, 'm0100'], batchSize: 20 });
      const [[where]] = (await all(enumerator)) as [[Prisma.MembershipWhereInput, Cursor]];
      expect(tables.queries[0]).toContain(
        'WHERE ("public"."Membership"."team" = $1 AND "public"."Membership"."member" > $2)',
      );
      expect(where).toEqual({
        AND: [
          { team: 1, member: { gt: 'm0100' } },
          { team: 1, member: { lte: 'm0120' } },
        ],
      });
    });

    it('prisma.wheres fills each batch across values of the leading field', async () => {
      const counts: number[] = [];
      for await (const [where] of builder.wheres(prisma.membership, {}, { cursor: null, batchSize: 40 })) {
        counts.push(await prisma.membership.count({ where }));
      }
      expect(counts).toEqual([40, 40, 40, 40, 40, 40, 40, 20]);
    });

    const keys: [string, BatchOptions['key']][] = [
      ['the primary key', undefined],
      ['a DateTime', 'createdAt'],
      ['a DateTime descending', [{ column: 'createdAt', order: 'desc' }]],
      ['a Boolean', 'done'],
      ['text and DateTime', ['name', { column: 'createdAt', order: 'desc' }]],
    ];

    describe.each(keys)('by %s', (_, key) => {
      it.each([1, 7, 1_000])(
        'an update that removes its rows from the where updates each row once, in batches of %i',
        async (batchSize) => {
          const counts: number[] = [];
          for await (const [where] of builder.wheres(
            prisma.entry,
            { where: { done: false } },
            { cursor: null, key, batchSize },
          )) {
            const { count } = await prisma.entry.updateMany({ where, data: { done: true, touched: { increment: 1 } } });
            counts.push(count);
          }
          const expected = inBatches(batchSize).map(({ length }) => length);
          expect(counts).toEqual(expected);
          expect(await prisma.entry.count({ where: { touched: 1, done: true } })).toBe(40);
        },
      );

      it('a delete in batches over several runs deletes each row exactly once', async () => {
        let deleted = 0;
        for (let cursor: Cursor = null, more = true; more; ) {
          more = false;
          const enumerator: Enumerator<Prisma.EntryWhereInput> = builder.wheres(
            prisma.entry,
            { where: { name: { not: 'e1' } } },
            { cursor, key, batchSize: 4 },
          );
          for await (const [where, reached] of enumerator) {
            deleted += (await prisma.entry.deleteMany({ where })).count;
            [cursor, more] = [JSON.parse(JSON.stringify(reached)) as Cursor, true];
            break;
          }
        }
        expect(deleted).toBe(26);
        expect(await prisma.entry.count()).toBe(14);
      });
    });

    it('prisma.wheres selects exactly the rows of filters with OR, NOT and relations', async () => {
      const where = {
        OR: [{ title: { endsWith: '3' } }, { author: { mood: 'loud', NOT: { score: 2 } } }],
        NOT: { author: { posts: { some: { id: 13 } } } },
      } satisfies Prisma.PostWhereInput;
      const expected = ids(await prisma.post.findMany({ where, orderBy: { id: 'asc' } }));
      expect(expected.length).toBeGreaterThan(8);
      const found: number[] = [];
      for await (const [batch] of builder.wheres(prisma.post, { where }, { cursor: null, batchSize: 3 })) {
        const rows = ids(await prisma.post.findMany({ where: batch, orderBy: { id: 'asc' } }));
        expect(rows.length).toBeLessThanOrEqual(3);
        expect(await prisma.post.count({ where: batch })).toBe(rows.length);
        found.push(...rows);
      }
      expect(found).toEqual(expected);
    });

    it.each(['mood', 'active', 'rate', 'ratio', 'born', 'email'])('prisma.wheres orders by %s', async (column) => {
      const key = [{ column, order: 'desc' }, 'id'] as const;
      const sorted = await tables.database.query<{ id: number }>(`SELECT id FROM "Author" ORDER BY ${column} DESC, id`);
      const found: number[][] = [];
      for await (const [where] of builder.wheres(prisma.author, {}, { cursor: null, key, batchSize: 7 })) {
        found.push(ids(await prisma.author.findMany({ where, select: { id: true } })).sort((a, b) => a - b));
      }
      expect(found).toEqual(
        inBatches(7).map((batch) => batch.map((i) => (sorted[i - 1] as { id: number }).id).sort((a, b) => a - b)),
      );
    });

    it('prisma.wheres works in a transaction, and if a client is extended or omits the key', async () => {
      const omitting = new PrismaClient({ adapter: tables.adapter(), omit: { entry: { id: true, createdAt: true } } });
      const extended = prisma.$extends({
        query: { $allModels: { $allOperations: ({ args, query }) => query(args) } },
        result: { entry: { label: { needs: { id: true }, compute: ({ id }) => `#${id}` } } },
      });
      const rows = async (delegate: typeof prisma.entry, key: string) => {
        let sum = 0;
        for await (const [where] of builder.wheres(delegate, {}, { cursor: null, key, batchSize: 7 })) {
          sum += (await delegate.updateMany({ where, data: { touched: { increment: 1 } } })).count;
        }
        return sum;
      };
      for (const key of ['id', 'createdAt']) {
        expect(await prisma.$transaction(({ entry }) => rows(entry as typeof prisma.entry, key))).toBe(40);
        expect(await rows(omitting.entry as unknown as typeof prisma.entry, key)).toBe(40);
        expect(await rows(extended.entry as unknown as typeof prisma.entry, key)).toBe(40);
      }
      expect(await prisma.entry.count({ where: { touched: 6 } })).toBe(40);
      await omitting.$disconnect();
    });

    it('prisma.wheres with a DateTime key identifies rows by both fields of a composite id', async () => {
      const visitor = ({ site, visitor }: { site: number; visitor: string }) => `${site}${visitor}`;
      const sorted = await tables.database.query<{ site: number; visitor: string }>(
        'SELECT * FROM "Visit" ORDER BY at, site, visitor',
      );
      const found: string[][] = [];
      for await (const [where] of builder.wheres(prisma.visit, {}, { cursor: null, key: 'at', batchSize: 25 })) {
        found.push((await prisma.visit.findMany({ where })).map(visitor).sort());
      }
      const expected = [sorted.slice(0, 25), sorted.slice(25, 50), sorted.slice(50)];
      expect(found).toEqual(expected.map((rows) => rows.map(visitor).sort()));
    });

    it('prisma.wheres splits rows with equal times into batches, and halves them', async () => {
      const enumerator = builder.wheres(prisma.event, {}, { cursor: null, key: 'localTime', batchSize: 15 });
      const pairs = await all(enumerator);
      const sizes = await Promise.all(pairs.map(([where]) => prisma.event.count({ where })));
      expect(sizes).toEqual([15, 15, 10]);
      const [, cursor] = pairs[0] as [Prisma.EventWhereInput, Cursor];
      const halves = await enumerator.halve?.(
        (pairs[1] as [Prisma.EventWhereInput, Cursor])[0],
        cursor,
        pairs[1]?.[1] as Cursor,
      );
      expect(await Promise.all((halves ?? []).map(([where]) => prisma.event.count({ where })))).toEqual([8, 7]);
      expect(halves?.[1]?.[1]).toEqual(pairs[1]?.[1]);
    });

    it('prisma.wheres does not halve a batch with one row or none left', async () => {
      const enumerator = builder.wheres(prisma.entry, {}, { cursor: null, batchSize: 10 });
      const [[where, cursor]] = (await all(enumerator)) as [[Prisma.EntryWhereInput, Cursor]];
      await prisma.entry.deleteMany({ where: { id: { lt: 10 } } });
      expect(await enumerator.halve?.(where, null, cursor)).toBeUndefined();
      await prisma.entry.deleteMany({ where: { id: 10 } });
      expect(await enumerator.halve?.(where, null, cursor)).toBeUndefined();
    });

    it("a row inserted after a batch's last row, in its millisecond, belongs to the next batch", async () => {
      const entries = (cursor: Cursor) => builder.wheres(prisma.entry, {}, { cursor, key: 'createdAt', batchSize: 10 });
      const [[first, cursor]] = (await all(entries(null))) as [[Prisma.EntryWhereInput, [string, number]]];
      await tables.database.query(
        `INSERT INTO "Entry" VALUES (99, 'new', $1::timestamptz + interval '1 microsecond')`,
        [cursor[0]],
      );
      expect(await prisma.entry.count({ where: first })).toBe(10);
      const [[second]] = (await all(entries(cursor))) as [[Prisma.EntryWhereInput, Cursor]];
      expect(await prisma.entry.count({ where: { AND: [second, { id: 99 }] } })).toBe(1);
    });

    it('prisma.wheres yields no batch of an empty table', async () => {
      await prisma.entry.deleteMany();
      for (const key of ['id', 'createdAt', 'done']) {
        const enumerator = builder.wheres(prisma.entry, {}, { cursor: null, key });
        expect([await all(enumerator), await enumerator.size?.()]).toEqual([[], 0]);
      }
    });

    it('prisma.wheres ends at any cursor, even between rows of one millisecond', async () => {
      const enumerator = () => builder.wheres(prisma.event, {}, { cursor: null, key: 'createdAt', batchSize: 7 });
      const [, , [, until]] = (await all(
        builder.wheres(prisma.event, {}, { cursor: null, key: 'createdAt', batchSize: 4 }),
      )) as [unknown, unknown, [unknown, Cursor]];
      const reader = sourceOf(enumerator()).read({ until });
      const counts: number[] = [];
      for (let next = await reader.next(); next && 'items' in next; next = await reader.next()) {
        counts.push(await prisma.event.count({ where: next.items[0] as Prisma.EventWhereInput }));
      }
      await reader.close();
      expect(counts).toEqual([7, 5]);
    });
  });

  describe('misuse', () => {
    const untyped = builder as unknown as Record<
      'records' | 'batches' | 'wheres',
      (...args: unknown[]) => Enumerator<unknown>
    >;

    it.each(['records', 'batches', 'wheres'] as const)('prisma.%s names itself in its errors', (source) => {
      const build =
        (delegate: unknown, args: unknown, options: object = {}) =>
        () =>
          untyped[source](delegate, args, { cursor: null, ...options });
      const name = `prisma.${source}: `;
      expect(build(prisma, {})).toThrow(name);
      expect(build(prisma, {})).toThrow('is not a delegate of a Prisma model');
      expect(build(prisma.post, null)).toThrow(`${name}the arguments for Post are not an object`);
      expect(build(prisma.post, { take: 1 })).toThrow(`${name}"take" is given for Post`);
      expect(build(prisma.post, {}, { key: 'nope' })).toThrow(`${name}the key field "nope" of Post is unknown`);
      expect(build(prisma.post, {}, { nope: 1 })).toThrow(`prisma.${source}: unknown option "nope"`);
      expect(build(prisma.reading, {})).toThrow(`${name}the key of Reading has a DateTime`);
      expect(build(prisma.tally, {})).toThrow(`${name}Tally has neither a primary key nor`);
      expect(build(prisma.author, {}, { key: 'name' })).toThrow(`${name}the key field "name" of Author may be null`);
      expect(build(prisma.post, {}, { cursor: 'seven' })).toThrow(
        'Post by (id): the cursor "seven" has "seven" for "id"',
      );
      expect(tables.queries).toEqual([]);
    });

    it.each(['select', 'include', 'omit', 'data'])('prisma.wheres refuses the argument %s at once', (name) => {
      expect(() => untyped.wheres(prisma.post, { [name]: {} }, { cursor: null })).toThrow(
        `prisma.wheres: "${name}" is given for Post, but no rows are read here. Pass { where }, or {}`,
      );
    });

    it.each([0, -1, 1.5, '7', null, Number.NaN])('batches and wheres of Prisma refuse batchSize %j', (batchSize) => {
      for (const source of ['batches', 'wheres'] as const) {
        expect(() => untyped[source](prisma.post, {}, { cursor: null, batchSize })).toThrow(
          `prisma.${source}: option "batchSize" is`,
        );
      }
    });
  });
});

async function all<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const pairs: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) pairs.push(pair);
  return pairs;
}
