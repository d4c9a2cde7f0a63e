import type { DataSourceOptions } from 'typeorm';
import { createDatabase, createMariaDatabase } from './database.js';

/** What TypeORM reads a database by. */
export type DriverName = 'postgres' | 'mariadb' | 'mysql' | 'mysql2' | 'sqljs' | 'better-sqlite3';

export interface Driver {
  /** The database that it is tried on. */
  readonly family: 'postgresql' | 'mariadb' | 'sqlite';
  open(): Promise<{ options: DataSourceOptions; drop(): Promise<void> }>;
}

/** Those whose database can be reached; `mysql` and `mysql2` are the driver of type `mysql` with that package, on MariaDB. */
export const DRIVERS: Readonly<Partial<Record<DriverName, Driver>>> = {
  postgres: {
    family: 'postgresql',
    async open() {
      const { url, drop } = await createDatabase();
      return { options: { type: 'postgres', url, poolSize: 1 }, drop };
    },
  },
  ...(process.env.MARIADB_URL && {
    mariadb: onMariaDb({ type: 'mariadb' }),
    mysql: onMariaDb({ type: 'mysql', connectorPackage: 'mysql' }),
    mysql2: onMariaDb({ type: 'mysql', connectorPackage: 'mysql2' }),
  }),
  sqljs: { family: 'sqlite', open: async () => ({ options: { type: 'sqljs' }, drop: async () => {} }) },
  'better-sqlite3': {
    family: 'sqlite',
    open: async () => ({ options: { type: 'better-sqlite3', database: ':memory:' }, drop: async () => {} }),
  },
};

/** What the reports of properties call the database of a driver. */
export function databaseName(driver: string): string {
  return driver === 'postgres' ? 'postgresql' : driver === 'sqljs' ? 'sqlite' : driver;
}

/** The connection of `mysql` is one of utf8mb3 unless it is told otherwise. */
function onMariaDb(type: { type: 'mariadb' | 'mysql'; connectorPackage?: 'mysql' | 'mysql2' }): Driver {
  return {
    family: 'mariadb',
    async open() {
      const { url, drop } = await createMariaDatabase();
      return { options: { ...type, url, poolSize: 1, charset: 'utf8mb4' } as DataSourceOptions, drop };
    },
  };
}
