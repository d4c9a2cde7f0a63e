/** What keys depend on in a database that this library is tested with. */
export interface Database {
  /** MySQL is of the family of MariaDB; see `version.ts` for what only one of them has. */
  readonly name: 'postgres' | 'mariadb' | 'sqlite';
  /** Whether `(a, b) > (1, 2)` is planned as one range of an index. */
  readonly rowValues: boolean;
  /** Whether NULLs are the least values of an order that does not place them; else they are the greatest. */
  readonly nullsAreLeast: boolean;
  /** Whether an index on (a, b) has the order `b` where `a IS NULL`; else it must be asked for as `a, b`. */
  readonly nullsAreConstant: boolean;
  /** Whether `IN (SELECT … LIMIT n)` is understood. */
  readonly limitsWithinIn: boolean;
}

const POSTGRES: Database = {
  name: 'postgres',
  rowValues: true,
  nullsAreLeast: false,
  nullsAreConstant: false,
  limitsWithinIn: true,
};
const MARIADB: Database = {
  name: 'mariadb',
  rowValues: false,
  nullsAreLeast: true,
  nullsAreConstant: true,
  limitsWithinIn: false,
};
const SQLITE: Database = {
  name: 'sqlite',
  rowValues: true,
  nullsAreLeast: true,
  nullsAreConstant: true,
  limitsWithinIn: true,
};

const DATABASES: Readonly<Record<string, Database>> = {
  postgres: POSTGRES,
  mariadb: MARIADB,
  mysql: MARIADB,
  sqljs: SQLITE,
  'better-sqlite3': SQLITE,
};

/** The database behind a data source; undefined: one that this library does not know more of than SQL. */
export function databaseOf({
  driver,
}: {
  readonly driver: { readonly options: { readonly type: string } };
}): Database | undefined {
  return DATABASES[driver.options.type];
}
