import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { createDatabase } from '../support/database.js';
import type { KeyRow } from '../support/keyset-properties.js';
import { describeAnyKey, type OpenKeyRows } from '../support/prisma/any-key.js';
import { PrismaClient } from '../support/prisma/generated/client.js';
import type { PrismaClient as MySqlClient } from '../support/prisma/mysql/generated/client.js';

describeAnyKey('postgresql', { open: openPostgres });

async function openPostgres(): Promise<OpenKeyRows> {
  const database = await createDatabase();
  await database.query(readFileSync(new URL('../support/prisma/schema.sql', import.meta.url), 'utf8'));
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url, max: 1 }) });
  return {
    client: client as unknown as MySqlClient,
    async insert(rows: readonly KeyRow[]) {
      const columns = 'id, rank, maybe, name, note, at, seen, big, price';
      await database.query(
        `INSERT INTO "KeyRow" SELECT ${columns} FROM json_to_recordset($1) AS row
           (id int, rank int, maybe int, name text, note text, at timestamp, seen timestamp, big bigint, price numeric)`,
        [JSON.stringify(rows)],
      );
    },
    async close() {
      await client.$disconnect();
      await database.drop();
    },
  };
}
