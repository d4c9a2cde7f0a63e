import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchOptions, Enumerator, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { PrismaTables } from '../support/prisma/tables.js';

const builder = new PrismaEnumeratorBuilder();
const to = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('prisma through extensions of the client', () => {
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;
  type Plain = typeof prisma;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(`
      INSERT INTO "KeyRow" SELECT i, i % 2, NULL, 'n' || (i * 7) % 27, NULL, '2026-01-01'::timestamp + i / 5 * interval '300 microseconds',
        NULL, i, i / 2.0 - 0.1 FROM generate_series(1, 27) i`);
  }, 60_000);

  afterAll(() => tables.drop());

  /** Reads all rows in runs that are interrupted after at most three rows each. */
  async function idsOf(client: unknown, options: Partial<KeysetOptions>, where: object = {}): Promise<number[]> {
    const ids: number[] = [];
    const delegate = (client as Plain).keyRow;
    for (let cursor: KeysetOptions['cursor'] = null; ; ) {
      let found = false;
      for await (const [{ id }, at] of builder.records(delegate, { where }, { pageSize: 4, ...options, cursor })) {
        ids.push(id);
        cursor = JSON.parse(JSON.stringify(at)) as KeysetOptions['cursor'];
        found = true;
        if (ids.length % 3 === 0) break;
      }
      if (!found) return ids;
    }
  }

  const keys: [string, KeysetOptions['key']][] = [
    ['the primary key', undefined],
    ['a Decimal', 'price'],
    ['a String, descending', [{ column: 'name', order: 'desc' }]],
    ['a DateTime', 'at'],
    ['Int and DateTime', ['rank', { column: 'at', order: 'desc' }]],
  ];

  const extensions = (): [string, unknown, (id: number) => boolean][] => [
    ['none', prisma, () => true],
    ['a Decimal computed as a number', computed({ price: (row) => Number(row.price) }), () => true],
    ['a String computed from another field', computed({ name: (row) => `${Number(row.id) % 5}` }), () => true],
    ['a DateTime computed as a text', computed({ at: () => 'soon' }), () => true],
    [
      'a query capped at 2 rows',
      queried((args, query) => query({ ...args, take: Math.min(args.take ?? 2, 2) })),
      () => true,
    ],
    [
      'rows filtered after the query',
      queried(async (args, query) => ((await query(args)) as { id: number }[]).filter(({ id }) => id % 9 === 0)),
      (id) => id % 9 === 0,
    ],
    [
      'a tenant added to the where',
      queried((args, query) => query({ ...args, where: { AND: [args.where ?? {}, { rank: 1 }] } })),
      (id) => id % 2 === 1,
    ],
    ['a log of the queries', queried((args, query) => query(args)), () => true],
    [
      'an extension of an extension',
      (computed({ price: (row) => Number(row.price) }) as Plain).$extends({
        query: { $allModels: { findMany: ({ args, query }) => query({ ...args, take: 1 }) } },
      }),
      () => true,
    ],
  ];

  interface Args {
    readonly take?: number;
    readonly where?: object;
  }

  function queried(findMany: (args: Args, query: (args: object) => Promise<unknown>) => Promise<unknown>): unknown {
    return prisma.$extends({
      query: { keyRow: { findMany: ({ args, query }) => findMany(args as Args, query as never) as never } },
    });
  }

  function computed(fields: Record<string, (row: Record<string, unknown>) => unknown>): unknown {
    const result = Object.fromEntries(
      Object.entries(fields).map(([name, compute]) => [name, { needs: { id: true, [name]: true }, compute }]),
    );
    return prisma.$extends({ result: { keyRow: result } } as never);
  }

  describe.each(keys)('by %s', (_, key) => {
    it('R1: prisma.records yields each row of an extended client once, in the order of the table', async () => {
      const all = await idsOf(prisma, { key });
      expect([...all].sort((one, other) => one - other)).toEqual(to(27));
      for (const [name, client, gives] of extensions()) {
        expect([name, await idsOf(client, { key })]).toEqual([name, all.filter(gives)]);
      }
    });

    it('R1: prisma.records yields each row once in an interactive transaction', async () => {
      const all = await idsOf(prisma, { key });
      const extended = computed({ price: (row) => Number(row.price) }) as Plain;
      for (const client of [prisma, extended]) {
        expect(await client.$transaction((transaction) => idsOf(transaction, { key }))).toEqual(all);
      }
    });

    it('R1: prisma.wheres selects each row that an extended updateMany writes exactly once', async () => {
      const options: BatchOptions = { cursor: null, batchSize: 4, ...(key && { key }) };
      const soft = prisma.$extends({
        query: {
          keyRow: {
            $allOperations: ({ args, query, operation }) => {
              const { where = {} } = args as Args;
              const limited = operation === 'findMany' ? { take: 1 } : {};
              return query({ ...args, ...limited, where: { AND: [where, { rank: 1 }] } } as never);
            },
          },
        },
        result: { keyRow: { price: { needs: { price: true }, compute: ({ price }) => Number(price) } } },
      });
      const written: number[] = [];
      for await (const [where] of builder.wheres(soft.keyRow as unknown as Plain['keyRow'], {}, options)) {
        written.push((await soft.keyRow.updateMany({ where, data: { note: { set: 'x' } } })).count);
      }
      expect(written.reduce((sum, count) => sum + count, 0)).toBe(14);
      expect(written).toHaveLength(7);
    });
  });

  it('prisma.batches fills its batches with the rows that an extended client returns', async () => {
    const odd = queried((args, query) => query({ ...args, where: { AND: [args.where ?? {}, { rank: 1 }] } })) as Plain;
    const sizes: number[] = [];
    const batches = builder.batches(odd.keyRow, {}, { cursor: null, batchSize: 5 });
    for await (const [batch] of batches) sizes.push(batch.length);
    expect(sizes).toEqual([5, 5, 4]);
  });

  it('prisma.records refuses an id that an extension computes', async () => {
    for (const id of [(row: Record<string, unknown>) => Number(row.id) + 1, () => 5, () => 9_999]) {
      await expect(idsOf(computed({ id }), {})).rejects.toThrow('the fields that identify a row (id)');
    }
  });

  it('a plain client executes one query of the catalogue and one query per page', async () => {
    tables.queries = [];
    await all(builder.records(prisma.keyRow, {}, { cursor: null, pageSize: 10 }));
    expect(tables.queries).toHaveLength(4);
  });

  async function all<Row>(rows: Enumerator<Row>): Promise<void> {
    for await (const _ of rows);
  }
});
