import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import BetterSqlite3 from 'better-sqlite3';
import { createDatabase, createMariaDatabase } from '../database.js';
import { PrismaClient } from './generated/client.js';
import type { DatabaseName, MixedColumn } from './mixed.types.js';
import { PrismaClient as MySqlClient } from './mysql/generated/client.js';
import { PrismaClient as SqliteClient } from './sqlite/generated/client.js';

export type Delegate = PrismaClient['mixed'];

/** The table of the model `Mixed` in a database, created for each case with columns that may differ from the model. */
export interface MixedWorld {
  readonly delegate: Delegate;
  /** Creates the table with these columns and rows; a row has one SQL literal per column. */
  make(columns: readonly MixedColumn[], rows: readonly (readonly string[])[]): Promise<void>;
  /** The ids in the order of one query. */
  ids(orderBy: readonly OrderPart[]): Promise<readonly number[]>;
  drop(): Promise<void>;
}

export interface OrderPart {
  readonly column: string;
  readonly order: 'asc' | 'desc';
  readonly nulls?: 'first' | 'last';
}

type Run = (sql: string) => Promise<readonly { readonly id: unknown }[]>;

export async function openMixed(database: DatabaseName): Promise<MixedWorld> {
  if (database === 'postgresql') return postgresWorld();
  return database === 'mariadb' ? mariaDbWorld() : sqliteWorld();
}

async function postgresWorld(): Promise<MixedWorld> {
  const { url, query, drop } = await createDatabase();
  await query(`CREATE TYPE "Mood" AS ENUM ('calm', 'loud'); CREATE TYPE "Other" AS ENUM ('loud', 'zest', 'calm');
    CREATE DOMAIN "Small" AS int CHECK (VALUE < 1000000); CREATE DOMAIN "Milli" AS timestamp(3)`);
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 1 }) });
  return worldOf(client.mixed, '"', {
    run: (sql) => query<{ id: unknown }>(sql),
    close: async () => {
      await client.$disconnect();
      await drop();
    },
  });
}

async function mariaDbWorld(): Promise<MixedWorld> {
  const { url, query, drop } = await createMariaDatabase();
  const adapter = mariaDbAdapter(url, 1);
  const client = new MySqlClient({ adapter });
  return worldOf(client.mixed as unknown as Delegate, '`', {
    run: (sql) => query<{ id: unknown }>(sql),
    close: async () => {
      await client.$disconnect();
      await drop();
    },
  });
}

async function sqliteWorld(): Promise<MixedWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'iteration-mixed-'));
  const file = join(folder, 'mixed.db');
  const database = new BetterSqlite3(file);
  const client = new SqliteClient({ adapter: new PrismaBetterSqlite3({ url: `file:${file}` }) });
  return worldOf(client.mixed as unknown as Delegate, '"', {
    run: async (sql) => {
      if (sql.startsWith('SELECT')) return database.prepare(sql).all() as { id: unknown }[];
      database.exec(sql);
      return [];
    },
    close: async () => {
      await client.$disconnect();
      database.close();
      rmSync(folder, { recursive: true });
    },
  });
}

function worldOf(
  delegate: Delegate,
  mark: string,
  { run, close }: { readonly run: Run; readonly close: () => Promise<void> },
): MixedWorld {
  const name = (column: string) => `${mark}${column}${mark}`;
  const table = name('Mixed');
  return {
    delegate,
    async make(columns, rows) {
      const declared = columns.map(
        ({ field, type, nullable }) =>
          `${name(field)} ${type.sql}${nullable ? '' : ' NOT NULL'}${field === 'id' ? ' PRIMARY KEY' : ''}`,
      );
      await run(`DROP TABLE IF EXISTS ${table}`);
      await run(`CREATE TABLE ${table} (${declared.join(', ')})`);
      if (rows.length > 0) {
        await run(`INSERT INTO ${table} VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}`);
      }
    },
    async ids(orderBy) {
      const parts = orderBy.flatMap(({ column, order, nulls }) => [
        ...(nulls ? [`${name(column)} IS NULL ${nulls === 'first' ? 'DESC' : 'ASC'}`] : []),
        `${name(column)} ${order}`,
      ]);
      return (await run(`SELECT id FROM ${table} ORDER BY ${parts.join(', ')}`)).map(({ id }) => Number(id));
    },
    drop: close,
  };
}

export function mariaDbAdapter(url: string, connectionLimit: number): PrismaMariaDb {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  const options = { host, port: Number(port || 3306), user, connectionLimit, database: pathname.slice(1) };
  return new PrismaMariaDb({ ...options, ...(password && { password }) });
}
