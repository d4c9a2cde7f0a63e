import type { DataSourceOptions } from 'typeorm';
import { createDatabase, createMariaDatabase } from './database.js';

/** The drivers of TypeORM. */
export type DriverName = 'postgres' | 'mariadb' | 'mysql' | 'mysql2' | 'sqljs' | 'better-sqlite3';

export interface Driver {
  /** The database that tests use with the driver. */
  readonly family: 'postgresql' | 'mariadb' | 'sqlite';
  open(): Promise<{ options: DataSourceOptions; drop(): Promise<void> }>;
}

/** The drivers with a reachable database. `mysql` and `mysql2` are the driver `mysql` with that package, on MariaDB. */
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

/** The name of a driver's database in the property reports. */
export function databaseName(driver: string): string {
  return driver === 'postgres' ? 'postgresql' : driver === 'sqljs' ? 'sqlite' : driver;
}

/** Sets the charset: the connections of `mysql` use utf8mb3 by default. */
function onMariaDb(type: { type: 'mariadb' | 'mysql'; connectorPackage?: 'mysql' | 'mysql2' }): Driver {
  return {
    family: 'mariadb',
    async open() {
      const { url, drop } = await createMariaDatabase();
      return { options: { ...type, url, poolSize: 1, charset: 'utf8mb4' } as DataSourceOptions, drop };
    },
  };
}
