import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { describeAnyKey, type OpenKeyRows, PORTABLE_COLUMNS } from '../support/prisma/any-key.js';
import type { PrismaClient as MySqlClient } from '../support/prisma/mysql/generated/client.js';
import { PrismaClient } from '../support/prisma/sqlite/generated/client.js';

describeAnyKey('sqlite', { columns: PORTABLE_COLUMNS, open: openSqlite });

async function openSqlite(): Promise<OpenKeyRows> {
  const folder = mkdtempSync(join(tmpdir(), 'iteration-prisma-'));
  const client = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: `file:${join(folder, 'keys.db')}` }) });
  await client.$executeRawUnsafe('PRAGMA synchronous = OFF');
  await client.$executeRawUnsafe(`CREATE TABLE "KeyRow" (id INTEGER PRIMARY KEY, "rank" INTEGER NOT NULL, maybe INTEGER,
    name TEXT NOT NULL, "a note" TEXT, big BIGINT NOT NULL)`);
  const close = async () => {
    await client.$disconnect();
    rmSync(folder, { recursive: true });
  };
  return { client: client as unknown as MySqlClient, close };
}
