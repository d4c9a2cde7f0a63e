import { DataSource, type DataSourceOptions, type Logger } from 'typeorm';
import { createDatabase, createMariaDatabase } from './database.js';

export type DatabaseName = 'postgresql' | 'mariadb' | 'sqlite';

/** The reachable databases. The global setup has printed which one is missing, and in CI it has failed. */
export const DATABASES: readonly DatabaseName[] = process.env.MARIADB_URL
  ? ['postgresql', 'mariadb', 'sqlite']
  : ['postgresql', 'sqlite'];

export interface OpenDatabase {
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

/** A fresh database with the tables of the entities; on PostgreSQL it has a schema named `place`. */
export async function openDatabase(
  database: DatabaseName,
  entities: readonly (abstract new () => unknown)[],
  logger?: Logger,
): Promise<OpenDatabase> {
  const { options, drop } = await fresh(database);
  const logged = logger && ({ logger, logging: ['query'] } as const);
  const tables = { entities: [...entities], synchronize: true };
  const dataSource = new DataSource({ ...options, ...logged, ...tables } as DataSourceOptions);
  await dataSource.initialize();
  return {
    dataSource,
    async close() {
      await dataSource.destroy();
      await drop();
    },
  };
}

async function fresh(database: DatabaseName): Promise<{ options: DataSourceOptions; drop: () => Promise<void> }> {
  switch (database) {
    case 'postgresql': {
      const { url, query, drop } = await createDatabase();
      await query('CREATE SCHEMA place');
      return { options: { type: 'postgres', url }, drop };
    }
    case 'mariadb': {
      const { url, drop } = await createMariaDatabase();
      return { options: { type: 'mariadb', url, charset: 'utf8mb4' }, drop };
    }
    case 'sqlite':
      return { options: { type: 'sqljs' }, drop: async () => {} };
  }
}
