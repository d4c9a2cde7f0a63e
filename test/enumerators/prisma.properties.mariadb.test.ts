import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { describe } from 'vitest';
import { createMariaDatabase } from '../support/database.js';
import { describeAnyKey, type OpenKeyRows, PORTABLE_COLUMNS } from '../support/prisma/any-key.js';
import { PrismaClient } from '../support/prisma/mysql/generated/client.js';

describe.runIf(process.env.MARIADB_URL)('with @prisma/adapter-mariadb', () => {
  describeAnyKey('mariadb', { columns: PORTABLE_COLUMNS, open: openMariaDb });
});

async function openMariaDb(): Promise<OpenKeyRows> {
  const { url, query, drop } = await createMariaDatabase();
  await query(`CREATE TABLE KeyRow (id int PRIMARY KEY, \`rank\` int NOT NULL, maybe int,
    name varchar(20) COLLATE utf8mb4_nopad_bin NOT NULL, \`a note\` varchar(20) COLLATE utf8mb4_nopad_bin, big bigint NOT NULL)`);
  const { hostname, port, username, password, pathname } = new URL(url);
  const connection = { host: hostname, port: Number(port || 3306), user: username, ...(password && { password }) };
  const adapter = new PrismaMariaDb({ ...connection, database: pathname.slice(1), connectionLimit: 1 });
  const client = new PrismaClient({ adapter });
  const close = async () => {
    await client.$disconnect();
    await drop();
  };
  return { client, close };
}
