import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { readerOf } from '../support/pages.js';
import { PrismaClient } from '../support/prisma/generated/client.js';

const prismaRecords = new PrismaEnumeratorBuilder();
const byCreatedAt = [{ column: 'createdAt', order: 'asc' }] as const;
const byCreatedAtDown = [{ column: 'createdAt', order: 'desc' }] as const;
const ids = (rows: readonly { id: unknown }[]) => rows.map(({ id }) => id);
const to = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

vi.setConfig({ testTimeout: 120_000 }); // a thousand runs of a few queries each

describe('prisma.records', () => {
  let database: TestDatabase;
  let prisma: ReturnType<typeof connect>;
  let queries: string[];

  function connect(url: string, options?: string) {
    const client = new PrismaClient({
      adapter: new PrismaPg({ connectionString: url, ...(options ? { options } : {}) }),
      log: [{ emit: 'event', level: 'query' }],
    });
    client.$on('query', ({ query }) => {
      if (!query.includes('pg_attribute')) queries.push(query);
    });
    return client;
  }

  beforeAll(async () => {
    database = await createDatabase();
    await database.query(readFileSync(new URL('../support/prisma/schema.sql', import.meta.url), 'utf8'));
    await database.query(`
      INSERT INTO "Author" (id, email, name, score, rate, ratio, active, born)
        SELECT i, 'a' || i || '@x.org', CASE WHEN i % 2 = 0 THEN 'n' || i END, i % 4, (i % 5) / 3::numeric, sqrt(i % 7),
          i % 3 = 0, '2000-01-01'::date + i % 3 FROM generate_series(1, 40) i;
      UPDATE "Author" SET mood = (enum_range(NULL::"Mood"))[1 + id % 3];
      INSERT INTO "Post" SELECT i, 'p' || i, (i - 1) / 2 + 1 FROM generate_series(1, 80) i;
      INSERT INTO "Account" SELECT 9007199254740993 + i FROM generate_series(1, 30) i;
      INSERT INTO "Token" SELECT md5(i::text)::uuid FROM generate_series(1, 30) i;
      INSERT INTO "Word" VALUES (''), (' '), ('%'), ('''; DROP TABLE "Word"; --'), ('"'), ('\\'), ('ä'), ('ß'), ('🙂'), ('a'), ('A'),
        ('a' || chr(10) || 'b'), ('null'), ('1'), ('-0'), ('{}'), ('2024-01-01T00:00:00.000Z'), ('$1');
      INSERT INTO "Membership" SELECT i / 9, chr(97 + i % 9) FROM generate_series(1, 60) i;
      INSERT INTO "Visit" SELECT i / 9, chr(97 + i % 9), '2024-01-01T00:00:00Z'::timestamptz + i / 4 * interval '300 microseconds'
        FROM generate_series(1, 60) i;
      INSERT INTO "Code" SELECT 's' || i / 5, i % 5, NULL FROM generate_series(1, 20) i;
    `);
    queries = [];
    prisma = connect(database.url);
  });

  afterAll(async () => {
    await prisma.$disconnect();
    await database.drop();
  });

  beforeEach(() => {
    queries = [];
  });

  /** Inserts rows `apartUs` apart, from 2024 on. Three rows share each `localTime`; ids are not in time order. */
  async function makeEvents(count: number, apartUs: number): Promise<void> {
    await database.query('TRUNCATE "event log"');
    await database.query(
      `INSERT INTO "event log" SELECT (i * 7919) % 1000003, '2024-01-01T00:00:00.000017Z'::timestamptz + i * $2 * interval '1 microsecond',
         '2024-01-01T00:00:00.000017'::timestamp + i / 3 * $2 * interval '1 microsecond', i % 4, (enum_range(NULL::"Mood"))[1 + i % 3] FROM generate_series(1, $1) i`,
      [count, apartUs],
    );
  }

  async function eventIds(order: string): Promise<number[]> {
    return ids(await database.query<{ id: number }>(`SELECT id FROM "event log" ORDER BY ${order}`)) as number[];
  }

  const events = (options: KeysetOptions) => prismaRecords.records(prisma.event, {}, options);

  describe('keys', () => {
    itKeepsTheEnumeratorContract('Int id', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.post, {}, { ...at, pageSize: 7 }),
      identify: ({ id }) => id,
      expected: to(80),
    });

    itKeepsTheEnumeratorContract('BigInt id beyond 2^53', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.account, {}, { ...at, pageSize: 7 }),
      identify: ({ id }) => id,
      expected: to(30).map((index) => 9007199254740993n + BigInt(index)),
    });

    itKeepsTheEnumeratorContract('uuid', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.token, {}, { ...at, pageSize: 7 }),
      identify: ({ id }) => id,
      expected: async () => ids(await database.query<{ id: string }>('SELECT id FROM "Token" ORDER BY id')),
    });

    itKeepsTheEnumeratorContract('String with odd characters', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.word, {}, { ...at, pageSize: 7 }),
      identify: ({ id }) => id,
      expected: async () => ids(await database.query<{ id: string }>('SELECT id FROM "Word" ORDER BY id')),
    });

    for (const pageSize of [1, 2, 7, 1000]) {
      itKeepsTheEnumeratorContract(`composite @@id in pages of ${pageSize}`, {
        size: 'exact',
        build: (at) => prismaRecords.records(prisma.membership, {}, { ...at, pageSize }),
        identify: ({ team, member }) => `${team}${member}`,
        expected: to(60).map((i) => `${Math.floor(i / 9)}${String.fromCharCode(97 + (i % 9))}`),
      });
    }

    itKeepsTheEnumeratorContract('a model without @id', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.code, {}, { ...at, pageSize: 3 }),
      identify: ({ series, number }) => `${series}${number}`,
      expected: to(20)
        .map((i) => `s${Math.floor(i / 5)}${i % 5}`)
        .sort(),
    });

    itKeepsTheEnumeratorContract('Decimal with ties and many digits', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.author, {}, { ...at, key: 'rate', pageSize: 7 }),
      identify: ({ id }) => id,
      expected: async () => ids(await database.query<{ id: number }>('SELECT id FROM "Author" ORDER BY rate, id')),
    });

    itKeepsTheEnumeratorContract('Float descending', {
      size: 'exact',
      build: (at) =>
        prismaRecords.records(prisma.author, {}, { ...at, key: [{ column: 'ratio', order: 'desc' }], pageSize: 7 }),
      identify: ({ id }) => id,
      expected: async () =>
        ids(await database.query<{ id: number }>('SELECT id FROM "Author" ORDER BY ratio DESC, id DESC')),
    });

    for (const [active, score, id] of [
      ['asc', 'desc', 'asc'],
      ['desc', 'asc', 'asc'],
      ['desc', 'desc', 'desc'],
    ] as const) {
      itKeepsTheEnumeratorContract(`mixed directions: Boolean ${active}, Int ${score}, id ${id}`, {
        size: 'exact',
        build: (at) => {
          const key = [
            { column: 'active', order: active },
            { column: 'score', order: score },
            { column: 'id', order: id },
          ];
          return prismaRecords.records(prisma.author, {}, { ...at, key: key as KeysetOptions['key'], pageSize: 3 });
        },
        identify: ({ id }) => id,
        expected: async () =>
          ids(
            await database.query<{ id: number }>(
              `SELECT id FROM "Author" ORDER BY active ${active}, score ${score}, id ${id}`,
            ),
          ),
      });
    }

    for (const order of ['asc', 'desc'] as const) {
      itKeepsTheEnumeratorContract(`enum ${order}, in the order of the database`, {
        size: 'exact',
        build: (at) =>
          prismaRecords.records(prisma.author, {}, { ...at, key: [{ column: 'mood', order }, 'id'], pageSize: 3 }),
        identify: ({ id }) => id,
        expected: async () =>
          ids(await database.query<{ id: number }>(`SELECT id FROM "Author" ORDER BY mood ${order}, id`)),
      });
    }

    itKeepsTheEnumeratorContract('DateTime that is a date', {
      size: 'exact',
      build: (at) =>
        prismaRecords.records(
          prisma.author,
          {},
          { ...at, key: [{ column: 'born', order: 'desc' }, 'id'], pageSize: 7 },
        ),
      identify: ({ id }) => id,
      expected: async () => ids(await database.query<{ id: number }>('SELECT id FROM "Author" ORDER BY born DESC, id')),
    });
  });

  describe('arguments', () => {
    itKeepsTheEnumeratorContract('select without the key', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.author, { select: { email: true } }, { ...at, pageSize: 7 }),
      identify: (row) => JSON.stringify(row),
      expected: to(40).map((id) => JSON.stringify({ email: `a${id}@x.org` })),
    });

    itKeepsTheEnumeratorContract('omit of the key', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.post, { omit: { id: true, authorId: true } }, { ...at, pageSize: 7 }),
      identify: (row) => JSON.stringify(row),
      expected: to(80).map((id) => JSON.stringify({ title: `p${id}` })),
    });

    itKeepsTheEnumeratorContract('include', {
      size: 'exact',
      build: (at) =>
        prismaRecords.records(prisma.author, { include: { posts: true } }, { ...at, key: 'email', pageSize: 7 }),
      identify: ({ email, posts }) => [email, ...ids(posts)],
      expected: to(40)
        .map((id) => [`a${id}@x.org`, 2 * id - 1, 2 * id])
        .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
    });

    itKeepsTheEnumeratorContract('where with OR', {
      size: 'exact',
      build: (at) =>
        prismaRecords.records(
          prisma.author,
          { where: { OR: [{ score: 3 }, { name: 'n2' }, { id: { gt: 37 } }] } },
          { ...at, key: [{ column: 'score', order: 'desc' }, 'id'], pageSize: 3 },
        ),
      identify: ({ id }) => id,
      expected: async () =>
        ids(
          await database.query<{ id: number }>(
            `SELECT id FROM "Author" WHERE score = 3 OR name = 'n2' OR id > 37 ORDER BY score DESC, id`,
          ),
        ),
    });

    it('prisma.records executes one query per page, for the selected fields and the key only', async () => {
      await rowsOf(prismaRecords.records(prisma.post, { select: { title: true } }, { cursor: 3, pageSize: 20 }));
      expect(queries).toHaveLength(5); // the last page is empty
      for (const query of queries) {
        expect(query).toMatch(
          /^SELECT "public"."Post"."id", "public"."Post"."title" FROM .* WHERE "public"."Post"."id" > \$1/,
        );
      }
    });

    it('prisma.records enters a composite index by equality of a shared field, else by a bound', async () => {
      const membership = (cursor: Cursor, pageSize: number) =>
        rowsOf(prismaRecords.records(prisma.membership, {}, { cursor, pageSize }));
      await membership([2, 'c'], 2);
      const [resumed] = queries;
      expect(resumed).toContain('WHERE ("public"."Membership"."team" = $1 AND "public"."Membership"."member" > $2)');
      queries = [];
      await membership(null, 20);
      expect(queries).toHaveLength(4); // the last page is empty
      expect(queries[1]).toContain('WHERE ("public"."Membership"."team" >= $1 AND (');
    });

    it('prisma.records does not modify its arguments', async () => {
      const args = { where: { id: { gt: 70 } }, select: { title: true } } as const;
      const before = structuredClone(args);
      await rowsOf(prismaRecords.records(prisma.post, args, { cursor: null }));
      expect(args).toEqual(before);
    });

    it('prisma.records reads what its own transaction wrote', async () => {
      await makeEvents(5, 100);
      const seen = await prisma.$transaction(async (transaction) => {
        await transaction.event.updateMany({ data: { rank: 9 } });
        return rowsOf(prismaRecords.records(transaction.event, {}, { cursor: null, key: 'createdAt', pageSize: 2 }));
      });
      expect(seen.map(({ rank }) => rank)).toEqual([9, 9, 9, 9, 9]);
    });

    it('prisma.records yields computed fields of an extended client, even without their inputs', async () => {
      const extended = prisma.$extends({
        result: { post: { label: { needs: { id: true }, compute: ({ id }) => `#${id}` } } },
        query: { $allModels: { findMany: ({ args, query }) => query(args) } },
      });
      const enumerator = prismaRecords.records(
        extended.post,
        { where: { id: { lt: 4 } }, select: { label: true } },
        { cursor: null },
      );
      expect(await rowsOf(enumerator)).toEqual([{ label: '#1' }, { label: '#2' }, { label: '#3' }]);
      const whole = prismaRecords.records(extended.post, { where: { id: 1 } }, { cursor: null });
      expect(await rowsOf(whole)).toMatchObject([{ id: 1, label: '#1', title: 'p1' }]);
    });

    it('prisma.records leaves out the fields that the client omits, even the key', async () => {
      const omitting = new PrismaClient({
        adapter: new PrismaPg({ connectionString: database.url }),
        omit: { post: { id: true, authorId: true } },
      });
      const enumerator = prismaRecords.records(omitting.post, {}, { cursor: null, pageSize: 30 });
      expect(await rowsOf(enumerator)).toEqual(to(80).map((id) => ({ title: `p${id}` })));
      await omitting.$disconnect();
    });

    it('prisma.records reads the schema of its adapter', async () => {
      await database.query('CREATE SCHEMA other; CREATE TABLE other."event log" (LIKE public."event log")');
      await database.query(
        `INSERT INTO other."event log" VALUES (5, '2024-01-01T00:00:00.000900Z', now(), 1, 'calm'), (4, '2024-01-01T00:00:00.000901Z', now(), 1, 'calm')`,
      );
      const other = new PrismaClient({
        adapter: new PrismaPg({ connectionString: database.url }, { schema: 'other' }),
      });
      const enumerator = prismaRecords.records(other.event, {}, { cursor: null, key: 'createdAt', pageSize: 1 });
      expect(ids(await rowsOf(enumerator))).toEqual([5, 4]);
      await other.$disconnect();
    });
  });

  describe('DateTime', () => {
    describe('300 rows 100 microseconds apart', () => {
      beforeAll(() => makeEvents(300, 100));

      for (const pageSize of [1, 2, 7, 1000]) {
        it.each([byCreatedAt, byCreatedAtDown])(
          `each row comes once, in pages of ${pageSize}, by %j`,
          async (...key) => {
            const order = `"created at" ${key[0].order}`;
            expect(ids(await rowsOf(events({ cursor: null, key, pageSize })))).toEqual(await eventIds(order));
          },
        );
      }
    });

    describe('100 rows 100 microseconds apart', () => {
      beforeAll(() => makeEvents(100, 100));

      itKeepsTheEnumeratorContract('ascending', {
        size: 'exact',
        build: (at) => events({ ...at, key: byCreatedAt, pageSize: 4 }),
        identify: ({ id }) => id,
        expected: () => eventIds('"created at", id'),
        stretches: 4,
      });

      itKeepsTheEnumeratorContract('descending', {
        size: 'exact',
        build: (at) => events({ ...at, key: byCreatedAtDown, pageSize: 4 }),
        identify: ({ id }) => id,
        expected: () => eventIds('"created at" DESC, id DESC'),
        stretches: 4,
      });

      itKeepsTheEnumeratorContract('timestamp with ties, and a select', {
        size: 'exact',
        build: (at) =>
          prismaRecords.records(
            prisma.event,
            { where: { rank: { not: 2 } }, select: { id: true } },
            { ...at, key: [{ column: 'localTime', order: 'desc' }, 'id'], pageSize: 7 },
          ),
        identify: ({ id }) => id,
        expected: async () =>
          ids(
            await database.query<{ id: number }>(
              `SELECT id FROM "event log" WHERE rank <> 2 ORDER BY "localTime" DESC, id`,
            ),
          ),
      });

      itKeepsTheEnumeratorContract('after an enum', {
        size: 'exact',
        build: (at) => events({ ...at, key: ['mood', { column: 'createdAt', order: 'desc' }], pageSize: 7 }),
        identify: ({ id }) => id,
        expected: () => eventIds('mood, "created at" DESC'),
      });

      itKeepsTheEnumeratorContract('between other fields, mixed directions', {
        size: 'exact',
        build: (at) =>
          events({
            ...at,
            key: ['rank', { column: 'localTime', order: 'desc' }, { column: 'createdAt', order: 'asc' }],
            pageSize: 7,
          }),
        identify: ({ id }) => id,
        expected: () => eventIds('rank, "localTime" DESC, "created at", id'),
      });
    });

    itKeepsTheEnumeratorContract('composite @@id, found by both fields', {
      size: 'exact',
      build: (at) => prismaRecords.records(prisma.visit, {}, { ...at, key: 'at', pageSize: 5 }),
      identify: ({ site, visitor }) => `${site}${visitor}`,
      expected: async () =>
        (
          await database.query<{ name: string }>(
            'SELECT site || visitor AS name FROM "Visit" ORDER BY at, site, visitor',
          )
        ).map(({ name }) => name),
    });

    it.each([
      { order: 'ascending', key: byCreatedAt },
      { order: 'descending', key: byCreatedAtDown },
      { order: 'after an enum', key: ['mood', ...byCreatedAtDown] },
    ])('$order: prisma.records ends at every cursor, even between rows of one millisecond', async ({ key }) => {
      await makeEvents(60, 100);
      const pairs: (readonly [{ id: number }, Cursor])[] = [];
      for await (const pair of events({ cursor: null, key })) pairs.push(pair);
      for (const [index, [, until]] of pairs.entries()) {
        const reader = readerOf(events({ cursor: null, key }), until);
        const page = await reader.next();
        await reader.close();
        expect(ids(page?.items ?? [])).toEqual(ids(pairs.slice(0, index + 1).map(([item]) => item)));
      }
    });

    it('2,500 rows with equal times come once each, in order', async () => {
      await makeEvents(2500, 0);
      expect(ids(await rowsOf(events({ cursor: null, key: 'createdAt', pageSize: 400 })))).toEqual(
        await eventIds('id'),
      );
    });

    it('a DateTime key costs at most two more queries per page', async () => {
      await makeEvents(100, 10_000);
      await rowsOf(events({ cursor: null, key: 'createdAt', pageSize: 25 }));
      expect(queries.length).toBeLessThanOrEqual(3 * 5);
    });

    it.each(['-c TimeZone=America/New_York', '-c TimeZone=Asia/Kolkata'])(
      'prisma.records refuses a session with %s, which Prisma misreads',
      async (options) => {
        await makeEvents(10, 100);
        const abroad = connect(database.url, options);
        const enumerator = prismaRecords.records(abroad.event, {}, { cursor: null, key: 'createdAt' });
        await expect(rowsOf(enumerator)).rejects.toThrow("options: '-c TimeZone=UTC'");
        await abroad.$disconnect();
      },
    );

    it('prisma.records refuses rows that row-level security hides from its SQL', async () => {
      await makeEvents(10, 100);
      await database.query(`
        DO $$ BEGIN CREATE ROLE iteration_guest LOGIN PASSWORD 'guest'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT ON "event log" TO iteration_guest;
        ALTER TABLE "event log" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON "event log" USING (current_setting('app.tenant', true) = 'mine');`);
      const url = new URL(database.url);
      [url.username, url.password] = ['iteration_guest', 'guest'];
      const guest = new PrismaClient({ adapter: new PrismaPg({ connectionString: url.href }) });
      const tenant = guest.$extends({
        query: {
          $allModels: {
            async $allOperations({ args, query }) {
              const set = guest.$executeRaw`SELECT set_config('app.tenant', 'mine', true)`;
              return (await guest.$transaction([set, query(args)]))[1];
            },
          },
        },
      });
      expect(await rowsOf(prismaRecords.records(tenant.event, {}, { cursor: null }))).toHaveLength(10);
      const enumerator = prismaRecords.records(tenant.event, {}, { cursor: null, key: 'createdAt' });
      await expect(rowsOf(enumerator)).rejects.toThrow('SQL on this client does not see the row 7919, unlike Prisma');
      await guest.$disconnect();
      await database.query('ALTER TABLE "event log" DISABLE ROW LEVEL SECURITY; DROP POLICY tenant ON "event log"');
    });
  });

  describe('rows that change during the iteration', () => {
    const keys: [string, KeysetOptions['key']][] = [
      ['the primary key', 'id'],
      ['DateTime ascending', byCreatedAt],
      ['DateTime descending', byCreatedAtDown],
      ['a DateTime with ties', 'localTime'],
      ['Int and DateTime, mixed', [{ column: 'rank', order: 'desc' }, 'createdAt']],
    ];

    describe.each(keys)('by %s', (_, key) => {
      let all: number[];

      beforeEach(async () => {
        await makeEvents(60, 100);
        all = ids(await rowsOf(events({ cursor: null, ...(key ? { key } : {}) }))) as number[];
        expect(new Set(all).size).toBe(60);
      });

      it.each([1, 2, 7, 1000])(
        'R1: a handler that deletes its rows receives each row once, in pages of %i',
        async (pageSize) => {
          const seen: number[] = [];
          for await (const [{ id }] of events({ cursor: null, key, pageSize })) {
            seen.push(id);
            await prisma.event.delete({ where: { id } });
          }
          expect(seen).toEqual(all);
        },
      );

      it.each([1, 7])(
        'R1: a run resumes without a loss after all finished rows were deleted, in pages of %i',
        async (pageSize) => {
          const seen: number[] = [];
          for (let cursor: Cursor = null, more = true; more; ) {
            more = false;
            for await (const [{ id }, reached] of events({ cursor, key, pageSize })) {
              seen.push(id);
              [cursor, more] = [JSON.parse(JSON.stringify(reached)), true];
              break;
            }
            await database.query('DELETE FROM "event log" WHERE id = ANY($1)', [seen]);
          }
          expect(seen).toEqual(all);
        },
      );

      it('rows inserted or deleted before the cursor change nothing; those after it count', async () => {
        const seen: number[] = [];
        for await (const [{ id }] of events({ cursor: null, key, pageSize: 5 })) {
          seen.push(id);
          if (seen.length !== 20) continue;
          const [finished, ahead, gone] = [all[2], all[50], all[55]] as [number, number, number];
          await database.query('DELETE FROM "event log" WHERE id = ANY($1)', [[gone, all[3]]]);
          await copyNextTo(finished, -1);
          await copyNextTo(ahead, -2);
        }
        const expected = ids(await rowsOf(events({ cursor: null, ...(key ? { key } : {}) }))) as number[];
        const kept = expected.filter((id) => id !== -1 && (key !== 'id' || id !== -2));
        expect(seen.filter((id) => id !== all[3])).toEqual(kept);
      });
    });

    /** Inserts a row with the values of another, so right before or after it. */
    async function copyNextTo(id: number, as: number): Promise<void> {
      await database.query(
        `INSERT INTO "event log" SELECT $2, "created at", "localTime", rank, mood FROM "event log" WHERE id = $1`,
        [id, as],
      );
    }

    it('a row that is deleted or moved while its page is read causes no gap', async () => {
      await makeEvents(60, 100);
      const all = await eventIds('"created at"');
      const [moved, gone] = [all[7], all[11]] as [number, number];
      const pool = new Pool({ connectionString: database.url });
      const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
      let pages = 0;
      // Runs between Prisma's query of the page and the statement that reads the exact keys of its rows.
      Object.assign(pool, {
        query: async (...args: [{ text: string }, ...unknown[]]) => {
          const rows = await query(...args);
          if (args[0].text.includes('ORDER BY') && args[0].text.includes('event log') && ++pages === 1) {
            await database.query('DELETE FROM "event log" WHERE id = $1', [gone]);
            await database.query(`UPDATE "event log" SET "created at" = now() WHERE id = $1`, [moved]);
          }
          return rows;
        },
      });
      const busy = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: true }) });
      const enumerator = prismaRecords.records(busy.event, {}, { cursor: null, key: 'createdAt', pageSize: 20 });
      expect(ids(await rowsOf(enumerator))).toEqual([...all.filter((id) => id !== moved && id !== gone), moved]);
      expect(pages).toBeGreaterThan(1);
      await busy.$disconnect();
    });

    it('R2: a cursor holds the key of the row as read, even if the handler changes the object', async () => {
      const cursors: Cursor[] = [];
      for await (const pair of prismaRecords.records(prisma.post, {}, { cursor: 77 })) {
        Object.assign(pair[0], { id: 0 });
        cursors.push(pair[1]);
      }
      expect(cursors).toEqual([78, 79, 80]);
    });
  });

  describe('size', () => {
    it('the size is the count of the whole where, in a first and in a resumed run', async () => {
      const size = (cursor: Cursor) =>
        prismaRecords.records(prisma.post, { where: { id: { gt: 30 } } }, { cursor }).size?.();
      expect([await size(null), await size(60)]).toEqual([50, 50]);
    });
  });

  describe('misuse', () => {
    const author = (key: KeysetOptions['key'], cursor: Cursor = null) =>
      prismaRecords.records(prisma.author, {}, { cursor, ...(key ? { key } : {}) });

    it.each(['orderBy', 'take', 'skip', 'cursor', 'distinct'])('prisma.records refuses the argument %s', (name) => {
      const args = { [name]: 1 } as Record<never, never>;
      expect(() => prismaRecords.records(prisma.author, args, { cursor: null })).toThrow(
        `prisma.records: "${name}" is given for Author, but the source sets it itself`,
      );
    });

    it.each([
      ['name', 'the key field "name" of Author may be null'],
      ['tags', 'the key field "tags" of Author is a list'],
      ['extra', 'the key field "extra" of Author is Json'],
      ['avatar', 'the key field "avatar" of Author is Bytes'],
      ['posts', 'the key field "posts" of Author is of type Post, a relation'],
      ['rough', 'the key field "rough" of Author is Real'],
      ['wakes', 'the key field "wakes" of Author is Time(6)'],
    ])('prisma.records refuses the key %s at once', (key, message) => {
      expect(() => author(key)).toThrow(message);
      expect(() => author(key)).toThrow('{ key: [');
      expect(queries).toEqual([]);
    });

    it('prisma.records refuses an unknown key at once, and lists the known fields', () => {
      expect(() => author('nope')).toThrow(
        'the key field "nope" of Author is unknown. Fields: id, email, name, mood, score, rate, ratio, active, born',
      );
    });

    it('prisma.records refuses a model whose only unique constraint has a DateTime', () => {
      expect(() => prismaRecords.records(prisma.reading, {}, { cursor: null })).toThrow(
        'the key of Reading has a DateTime, of which Prisma has only milliseconds',
      );
    });

    it('prisma.records refuses a view without a unique constraint', () => {
      const tally = prisma.tally as unknown as typeof prisma.post;
      expect(() => prismaRecords.records(tally, {}, { cursor: null })).toThrow('Tally has neither a primary key nor');
    });

    it.each([
      [[1, 2], 'for a key of 1 column(s)'],
      ['abc', 'has "abc" for "id", which is not an Int'],
      [1.5, 'has 1.5 for "id", which is not an Int'],
      ['7', 'has "7" for "id", which is not an Int'],
    ])('prisma.records refuses the cursor %j of another key', async (cursor, message) => {
      await expect((async () => rowsOf(author(undefined, cursor)))()).rejects.toThrow(message);
    });

    it.each([undefined, null, {}, { findMany() {} }])('prisma.records refuses %s as a delegate', (value) => {
      expect(() => prismaRecords.records(value as unknown as typeof prisma.post, {}, { cursor: null })).toThrow(
        'is not a delegate of a Prisma model',
      );
    });

    it('prisma.records refuses a client instead of a delegate', () => {
      expect(() => prismaRecords.records(prisma as unknown as typeof prisma.post, {}, { cursor: null })).toThrow(
        'is not a delegate of a Prisma model',
      );
    });

    it('prisma.records refuses undefined arguments', () => {
      expect(() =>
        prismaRecords.records(prisma.post, undefined as unknown as Record<never, never>, { cursor: null }),
      ).toThrow('the arguments for Post are not an object');
    });

    it.each(['ranges', 'batchSize', 'nulls'])('prisma.records refuses the unknown option %s', (name) => {
      const options = { cursor: null, [name]: 1 };
      expect(() => prismaRecords.records(prisma.post, {}, options)).toThrow(`unknown option "${name}"`);
    });

    it('prisma.records refuses a key field that an extension overrides', async () => {
      const extended = prisma.$extends({ result: { post: { id: { needs: {}, compute: () => 'x' } } } });
      const enumerator = prismaRecords.records(extended.post as unknown as typeof prisma.post, {}, { cursor: null });
      await expect(rowsOf(enumerator)).rejects.toThrow('The rows hold "x" as "id", which is not an Int');
    });
  });
});

async function rowsOf<Row>(enumerator: Enumerator<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const [row] of enumerator) rows.push(row);
  return rows;
}
