import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm';
import type { TransactionHost } from '../../lib/definition/transaction.host.js';
import { PrismaTransactionHost } from '../../lib/exactly-once/prisma/prisma.host.js';
import { prismaMigration } from '../../lib/exactly-once/prisma/prisma.migration.js';
import { TypeOrmTransactionHost } from '../../lib/exactly-once/typeorm/typeorm.host.js';
import { CreateIterationCheckpoint1795305600000 } from '../../lib/exactly-once/typeorm/typeorm.migration.js';
import { createDatabase, createMariaDatabase } from './database.js';
import type { PrismaClient } from './prisma/generated/client.js';
import { mariaDbAdapter } from './prisma/mixed.js';
import { PrismaClient as MySqlClient } from './prisma/mysql/generated/client.js';
import { PrismaTables } from './prisma/tables.js';

/** A database with the checkpoint table and a table `effect`, and transaction hosts for it. */
export interface TransactionWorld<Transaction = unknown> {
  readonly host: TransactionHost<Transaction>;
  /** Another host, with its own connections and the strictest isolation. */
  strict(): Promise<TransactionHost<Transaction>>;
  /** Runs SQL in a transaction, with its values in the text. */
  execute(transaction: Transaction, sql: string): Promise<unknown>;
  query<Row>(sql: string): Promise<Row[]>;
  /** The ids of the committed effects. */
  effects(): Promise<number[]>;
  close(): Promise<void>;
}

export interface TransactionDatabase {
  readonly name: string;
  readonly database: 'postgresql' | 'mariadb' | 'sqlite';
  /** The client of a {@link TransactionWorld}, as test/processes/transaction.ts opens it. */
  readonly client: 'typeorm' | 'prisma';
  readonly open: () => Promise<TransactionWorld & { readonly url: string }>;
}

const EFFECT = 'CREATE TABLE effect (id int NOT NULL PRIMARY KEY, touched int NOT NULL)';

export const DATABASES: readonly TransactionDatabase[] = [
  { name: 'TypeORM on PostgreSQL', database: 'postgresql', client: 'typeorm', open: openPostgres },
  ...(process.env.MARIADB_URL
    ? [{ name: 'TypeORM on MariaDB', database: 'mariadb', client: 'typeorm', open: openMariaDb } as const]
    : []),
  { name: 'TypeORM on SQLite', database: 'sqlite', client: 'typeorm', open: openSqlite },
  { name: 'Prisma on PostgreSQL', database: 'postgresql', client: 'prisma', open: openPrisma },
  ...(process.env.MARIADB_URL
    ? [{ name: 'Prisma on MariaDB', database: 'mariadb', client: 'prisma', open: openPrismaMariaDb } as const]
    : []),
];

async function openPostgres() {
  const database = await createDatabase();
  return {
    url: database.url,
    ...(await openTypeOrm({ type: 'postgres', url: database.url, poolSize: 6 }, () => database.drop())),
  };
}

async function openMariaDb() {
  const database = await createMariaDatabase();
  const options: DataSourceOptions = { type: 'mariadb', url: database.url, poolSize: 6 };
  return { url: database.url, ...(await openTypeOrm(options, () => database.drop())) };
}

async function openSqlite() {
  return { url: '', ...(await openTypeOrm({ type: 'sqljs' }, async () => {})) };
}

async function openTypeOrm(
  options: DataSourceOptions,
  drop: () => Promise<void>,
): Promise<TransactionWorld<EntityManager>> {
  const sources: DataSource[] = [];
  const connect = async () => {
    const source = await new DataSource({
      ...options,
      migrations: [CreateIterationCheckpoint1795305600000],
    } as DataSourceOptions).initialize();
    sources.push(source);
    return source;
  };
  const source = await connect();
  await source.runMigrations();
  await source.query(EFFECT);
  return {
    host: new TypeOrmTransactionHost(source),
    strict: async () => new TypeOrmTransactionHost(await connect(), { isolation: 'SERIALIZABLE' }),
    execute: (manager, sql) => manager.query(sql),
    query: (sql) => source.query(sql),
    effects: async () => idsOf(await source.query('SELECT id FROM effect ORDER BY id')),
    async close() {
      await Promise.all(sources.map((each) => each.destroy()));
      await drop();
    },
  };
}

async function openPrisma(): Promise<
  TransactionWorld<Parameters<Parameters<PrismaClient['$transaction']>[0]>[0]> & { url: string }
> {
  const tables = await PrismaTables.make();
  await tables.database.query(prismaMigration('postgresql'));
  await tables.database.query(EFFECT);
  return {
    url: tables.database.url,
    host: new PrismaTransactionHost(tables.connect({ max: 6 })),
    strict: async () => new PrismaTransactionHost(tables.connect({ max: 6 }), { isolationLevel: 'Serializable' }),
    execute: (client, sql) => client.$queryRawUnsafe(sql),
    query: async <Row>(sql: string) => (await tables.database.query(sql)) as Row[],
    effects: async () => idsOf(await tables.database.query('SELECT id FROM effect ORDER BY id')),
    close: () => tables.drop(),
  };
}

async function openPrismaMariaDb(): Promise<
  TransactionWorld<Parameters<Parameters<MySqlClient['$transaction']>[0]>[0]> & { url: string }
> {
  const { url, query, drop } = await createMariaDatabase();
  await query(prismaMigration('mysql'));
  await query(EFFECT);
  const clients: MySqlClient[] = [];
  const connect = () => {
    const client = new MySqlClient({ adapter: mariaDbAdapter(url, 6) });
    clients.push(client);
    return client;
  };
  return {
    url,
    host: new PrismaTransactionHost(connect()),
    strict: async () => new PrismaTransactionHost(connect(), { isolationLevel: 'Serializable' }),
    execute: (client, sql) => client.$executeRawUnsafe(sql),
    query: async <Row>(sql: string) => (await query(sql)) as Row[],
    effects: async () => idsOf(await query('SELECT id FROM effect ORDER BY id')),
    async close() {
      await Promise.all(clients.map((client) => client.$disconnect()));
      await drop();
    },
  };
}

function idsOf(rows: readonly { id: number }[]): number[] {
  return rows.map(({ id }) => id);
}
