import { randomUUID } from 'node:crypto';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { until } from './until.js';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** A fresh database on the server of DATABASE_URL. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `iteration_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(process.env.DATABASE_URL as string);
  const admin = new pg.Pool({ connectionString: url.href, max: 1 });
  admin.on('error', () => {}); // the server may be stopped as soon as the database is dropped
  await admin.query(`CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4 });
  pool.on('error', () => {}); // dropping the database ends its connections
  return {
    url: url.href,
    name,
    query: async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) =>
      (await pool.query<Row>(sql, values)).rows,
    async drop() {
      await pool.end();
      // Closing clients may still be connected; dropping the database by force would make them report errors.
      const connected = 'SELECT application_name, state, query FROM pg_stat_activity WHERE datname = $1';
      let clients: unknown[] = [];
      await until(
        () => `all clients have left the database; there are ${JSON.stringify(clients)}`,
        async () => {
          clients = (await admin.query(connected, [name])).rows;
          return clients.length === 0;
        },
      );
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

/** A fresh database on the server of MARIADB_URL. Its texts are ordered by bytes unless a column has a collation. */
export async function createMariaDatabase(): Promise<TestMariaDatabase> {
  const name = `iteration_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(process.env.MARIADB_URL as string);
  const admin = createPool({ uri: url.href, connectionLimit: 1 });
  await admin.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  url.pathname = `/${name}`;
  const pool = createPool({ uri: url.href, connectionLimit: 2, multipleStatements: true });
  return {
    url: url.href,
    name,
    query: async <Row>(sql: string, values?: unknown[]) => (await pool.query(sql, values))[0] as Row[],
    async drop() {
      await pool.end();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
    },
  };
}

export interface TestMariaDatabase {
  readonly url: string;
  readonly name: string;
  query<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}
