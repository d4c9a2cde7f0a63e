import { afterAll, beforeAll, describe } from 'vitest';
import type { KeyColumn } from '../../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../../lib/enumerators/prisma/prisma.enumerator.js';
import { type CutWorld, itCutsAnyKey } from '../keyset-parts.js';
import { itFollowsAnyKey, type KeyName, type KeyRow } from '../keyset-properties.js';
import type { Prisma, PrismaClient } from './mysql/generated/client.js';

/** A client with an empty table of the model `KeyRow`. */
export interface OpenKeyRows {
  readonly client: PrismaClient;
  /** Inserts rows with columns that Prisma cannot write exactly; by default the client inserts. */
  insert?(rows: readonly KeyRow[]): Promise<void>;
  close(): Promise<void>;
}

/** Columns that a key may have on a database other than PostgreSQL. */
export const PORTABLE_COLUMNS: readonly KeyName[] = ['id', 'rank', 'maybe', 'name', 'note', 'big'];

const inOrder = ({ column, order, nulls }: KeyColumn) => ({ [column]: nulls ? { sort: order, nulls } : order });

/**
 * R1 and R27 over random keys, with the three sources over the model `KeyRow`.
 *
 * @param options.columns Columns that a key may have; all by default.
 */
export function describeAnyKey(
  database: string,
  { columns, open }: { readonly columns?: readonly KeyName[]; readonly open: () => Promise<OpenKeyRows> },
): void {
  describe(`prisma by any key on ${database}`, () => {
    const builder = new PrismaEnumeratorBuilder();
    let opened: OpenKeyRows;

    beforeAll(async () => {
      opened = await open();
    }, 60_000);

    afterAll(() => opened.close());

    async function insert(rows: readonly KeyRow[]): Promise<void> {
      if (opened.insert) return opened.insert(rows);
      const data = rows.map(({ id, rank, maybe, name, note, big }) => ({
        id,
        rank,
        maybe,
        name,
        note,
        big: BigInt(big),
      }));
      await opened.client.keyRow.createMany({ data });
    }

    const world = {
      database,
      columns,
      async reset(rows: readonly KeyRow[]): Promise<void> {
        await opened.client.keyRow.deleteMany({});
        if (rows.length > 0) await insert(rows);
      },
      insert,
      async remove(ids: readonly number[]): Promise<void> {
        await opened.client.keyRow.deleteMany({ where: { id: { in: [...ids] } } });
      },
      partitions: (options: Parameters<CutWorld<unknown>['partitions']>[0]) =>
        builder.partitions(opened.client.keyRow, {}, options),
    };

    itCutsAndFollows({
      ...world,
      source: 'prisma.records',
      build: (at, { key, rows }) => builder.records(opened.client.keyRow, {}, { ...at, key, pageSize: rows }),
      records: ({ id }) => [id],
    });

    itCutsAndFollows({
      ...world,
      source: 'prisma.batches',
      build: (at, { key, rows }) => builder.batches(opened.client.keyRow, {}, { ...at, key, batchSize: rows }),
      records: (batch) => batch.map(({ id }) => id),
    });

    let orderBy: Prisma.KeyRowOrderByWithRelationInput[] = [];

    itCutsAndFollows({
      ...world,
      source: 'prisma.wheres',
      build(at, { key = [], rows }) {
        orderBy = [...key.map(inOrder), { id: key.at(-1)?.order ?? 'asc' }];
        return builder.wheres(opened.client.keyRow, {}, { ...at, batchSize: rows, ...(key.length > 0 && { key }) });
      },
      records: async (where) =>
        (await opened.client.keyRow.findMany({ where, orderBy, select: { id: true } })).map(({ id }) => id),
    });
  });
}

function itCutsAndFollows<Item>(world: CutWorld<Item>): void {
  itFollowsAnyKey(world);
  itCutsAnyKey(world);
}
