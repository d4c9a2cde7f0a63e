import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type Enumerator, type KeyColumn, type KeysetOptions, sourceOf } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();

describe('sizes of Prisma', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(`
      INSERT INTO "Entry" SELECT i, 'e' || i % 3, '2024-01-01T00:00:00Z'::timestamptz + i / 3 * interval '150 microseconds', i % 4 = 0
        FROM generate_series(1, 60) i;
      INSERT INTO "KeyRow" SELECT i, i % 2, CASE WHEN i % 3 > 0 THEN i % 4 END, 'n', NULL,
        '2026-01-01'::timestamp + i / 5 * interval '300 microseconds',
        CASE WHEN i % 3 > 0 THEN '2026-01-01'::timestamp + i % 7 * interval '300 microseconds' END, i, i
        FROM generate_series(1, 24) i;
      ANALYZE "Entry";
    `);
  });

  afterAll(() => tables.drop());

  it('the size is the count of the whole where, in a first and in a resumed run', async () => {
    const size = (cursor: Cursor) => builder.records(prisma.entry, { where: { done: true } }, { cursor }).size?.();
    expect([await size(null), await size(30)]).toEqual([15, 15]);
  });

  it('prisma.records counts only when size() is called', async () => {
    tables.queries = [];
    const enumerator = builder.records(prisma.entry, {}, { cursor: null });
    for await (const _ of enumerator) break;
    expect(tables.queries.filter((query) => query.includes('COUNT'))).toEqual([]);
    await enumerator.size?.();
    expect(tables.queries.filter((query) => query.includes('COUNT'))).toHaveLength(1);
  });

  describe('while a lock blocks the count', () => {
    /** Another session locks the table, so every count of it waits. */
    async function whileLocked<Result>(work: () => Promise<Result>): Promise<Result> {
      const other = new pg.Client(tables.database.url);
      await other.connect();
      await other.query('BEGIN; LOCK TABLE "Entry" IN ACCESS EXCLUSIVE MODE');
      try {
        return await work();
      } finally {
        await other.query('ROLLBACK');
        await other.end();
      }
    }

    async function timed<Result>(work: () => Promise<Result>): Promise<{ result: Result; ms: number }> {
      const start = performance.now();
      const result = await whileLocked(work);
      return { result, ms: performance.now() - start };
    }

    const counting = async () => {
      const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE '%COUNT(%' AND state = 'active' AND pid <> pg_backend_pid()`;
      return (await tables.database.query(sql)).length;
    };

    it('size() ends a blocked count within seconds and returns the estimate of the planner', async () => {
      const { result, ms } = await timed(async () => {
        const size = await builder.records(prisma.entry, {}, { cursor: null }).size?.();
        return { size, counting: await counting() };
      });
      expect(result).toEqual({ size: 60, counting: 0 });
      expect(ms).toBeGreaterThan(1_900);
    });

    it('an exact size is unknown while a lock blocks the count', async () => {
      const exact = (enumerator: Enumerator<unknown>) => sourceOf(enumerator).source.size?.({ exact: true });
      const { result } = await timed(() =>
        Promise.all([
          exact(builder.records(prisma.entry, {}, { cursor: null })),
          exact(builder.wheres(prisma.entry, {}, { cursor: null })),
        ]),
      );
      expect(result).toEqual([undefined, undefined]);
    });

    it('the size of a filtered table is unknown while a lock blocks the count', async () => {
      const where = { done: true };
      const { result } = await timed(() =>
        Promise.all([
          builder.records(prisma.entry, { where }, { cursor: null }).size?.(),
          builder.batches(prisma.entry, { where }, { cursor: null }).size?.(),
          builder.wheres(prisma.entry, { where }, { cursor: null }).size?.(),
        ]),
      );
      expect(result).toEqual([undefined, undefined, undefined]);
    });

    it('the size through an extended client is unknown while a lock blocks the count', async () => {
      const extended = prisma.$extends({ query: { $allModels: { count: ({ args, query }) => query(args) } } });
      const { result } = await timed(async () => builder.records(extended.entry, {}, { cursor: null }).size?.());
      expect(result).toBeUndefined();
    });

    it('size() leaves no statement timeout on the client', async () => {
      await timed(async () => builder.records(prisma.entry, {}, { cursor: null }).size?.());
      const limits = await Promise.all(
        Array.from({ length: 5 }, () => prisma.$queryRawUnsafe('SHOW statement_timeout')),
      );
      expect(limits.flat()).toEqual(Array(5).fill({ statement_timeout: '0' }));
    });
  });

  it("size() counts in the user's transaction, and leaves no statement timeout on it", async () => {
    const seen = await prisma.$transaction(async (transaction) => {
      await transaction.entry.create({ data: { id: 1_000, name: 'new', createdAt: new Date() } });
      const size = await builder.records(transaction.entry, {}, { cursor: null }).size?.();
      const [limit] = (await transaction.$queryRawUnsafe('SHOW statement_timeout')) as object[];
      await transaction.entry.delete({ where: { id: 1_000 } });
      return [size, limit];
    });
    expect(seen).toEqual([61, { statement_timeout: '0' }]);
  });

  describe('count', () => {
    const keys: [string, KeysetOptions['key']][] = [
      ['the primary key', undefined],
      ['DateTime ascending', 'createdAt'],
      ['DateTime descending', [{ column: 'createdAt', order: 'desc' }]],
      ['Boolean and DateTime', [{ column: 'done', order: 'desc' }, 'createdAt']],
    ];

    it.each(keys)('count() by %s is the number of rows up to and including a cursor', async (_, key) => {
      const enumerator = builder.records(prisma.entry, { where: { name: { not: 'e1' } } }, { cursor: null, key });
      const counts: unknown[] = [];
      for await (const [, cursor] of enumerator) counts.push(await sourceOf(enumerator).source.count?.(cursor));
      expect(counts).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    });

    it('count() works by keys with nulls, and after rows were deleted', async () => {
      const key: KeyColumn[] = [
        { column: 'seen', order: 'desc', nulls: 'first' },
        { column: 'maybe', order: 'asc', nulls: 'last' },
      ];
      const enumerator = builder.records(prisma.keyRow, {}, { cursor: null, key });
      const count = async (cursor: Cursor) => sourceOf(enumerator).source.count?.(cursor);
      const counts: unknown[] = [];
      let last: Cursor = null;
      for await (const [, cursor] of enumerator) {
        counts.push(await count(cursor));
        last = cursor;
      }
      expect(counts).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
      await tables.database.query('DELETE FROM "KeyRow" WHERE id = $1', [(last as unknown[])[2]]);
      expect(await count(last)).toBe(23);
    });
  });
});
