import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { createDatabase } from '../support/database.js';
import type { KeyRow } from '../support/keyset-properties.js';
import { describeAnyKey, type OpenKeyRows } from '../support/prisma/any-key.js';
import { PrismaClient } from '../support/prisma/generated/client.js';
import type { PrismaClient as MySqlClient } from '../support/prisma/mysql/generated/client.js';

const MILLISECONDS = 'ALTER TABLE "KeyRow" ALTER at TYPE timestamp(3), ALTER seen TYPE timestamptz(3)';
/** Times a thousand times as far from January 1, in the same order. */
const scaled = (column: string) => `timestamp '2026-01-01' + (${column} - timestamp '2026-01-01') * 1000`;

describeAnyKey('postgresql', { open: () => openPostgres() });
describeAnyKey('postgresql with times of milliseconds', {
  open: () => openPostgres({ change: MILLISECONDS, time: scaled }),
});

async function openPostgres({
  change = '',
  time = (column: string) => column,
}: {
  readonly change?: string;
  readonly time?: (column: string) => string;
} = {}): Promise<OpenKeyRows> {
  const database = await createDatabase();
  await database.query(readFileSync(new URL('../support/prisma/schema.sql', import.meta.url), 'utf8') + change);
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url, max: 1 }) });
  return {
    client: client as unknown as MySqlClient,
    async insert(rows: readonly KeyRow[]) {
      const columns = `id, rank, maybe, name, note, ${time('at')}, ${time('seen')}, big, price`;
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
