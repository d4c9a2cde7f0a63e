import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { afterAll, beforeAll, describe } from 'vitest';
import type { KeyColumn } from '../../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itFollowsAnyKey, type KeyRow } from '../support/keyset-properties.js';
import { type Prisma, PrismaClient } from '../support/prisma/generated/client.js';

const inOrder = ({ column, order, nulls }: KeyColumn) => ({ [column]: nulls ? { sort: order, nulls } : order });

describe('prisma by any key', () => {
  const builder = new PrismaEnumeratorBuilder();
  let database: TestDatabase;
  let prisma: PrismaClient;

  beforeAll(async () => {
    database = await createDatabase();
    await database.query(readFileSync(new URL('../support/prisma/schema.sql', import.meta.url), 'utf8'));
    prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url, max: 1 }) });
  });

  afterAll(async () => {
    await prisma.$disconnect();
    await database.drop();
  });

  async function insert(rows: readonly KeyRow[]): Promise<void> {
    const columns = 'id, rank, maybe, name, note, at, seen, big, price';
    await database.query(
      `INSERT INTO "KeyRow" SELECT ${columns} FROM json_to_recordset($1) AS row
         (id int, rank int, maybe int, name text, note text, at timestamp, seen timestamp, big bigint, price numeric)`,
      [JSON.stringify(rows)],
    );
  }

  const world = {
    database: 'postgresql',
    async reset(rows: readonly KeyRow[]): Promise<void> {
      await database.query('DELETE FROM "KeyRow"');
      if (rows.length > 0) await insert(rows);
    },
    insert,
    async remove(ids: readonly number[]): Promise<void> {
      await database.query('DELETE FROM "KeyRow" WHERE id = ANY($1)', [ids]);
    },
  };

  itFollowsAnyKey({
    ...world,
    source: 'prisma.records',
    build: (at, { key, rows }) => builder.records(prisma.keyRow, {}, { ...at, key, pageSize: rows }),
    records: ({ id }) => [id],
  });

  itFollowsAnyKey({
    ...world,
    source: 'prisma.batches',
    build: (at, { key, rows }) => builder.batches(prisma.keyRow, {}, { ...at, key, batchSize: rows }),
    records: (batch) => batch.map(({ id }) => id),
  });

  let orderBy: Prisma.KeyRowOrderByWithRelationInput[] = [];

  itFollowsAnyKey({
    ...world,
    source: 'prisma.wheres',
    build(at, { key = [], rows }) {
      orderBy = [...key.map(inOrder), { id: key.at(-1)?.order ?? 'asc' }];
      const options = { ...at, batchSize: rows, ...(key.length > 0 && { key }) };
      return builder.wheres(prisma.keyRow, {}, options);
    },
    records: async (where) =>
      (await prisma.keyRow.findMany({ where, orderBy, select: { id: true } })).map(({ id }) => id),
  });
});
