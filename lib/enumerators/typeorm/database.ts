import { type Dialect, dialectOf } from '../../sql.dialect.js';

/** The properties on which keys depend, of a database that this library is tested with. */
export interface Database {
  /** MySQL's is MariaDB's too; see `version.ts` for what only one of them has. */
  readonly dialect: Dialect;
  /** Whether `(a, b) > (1, 2)` is planned as one range of an index. */
  readonly rowValues: boolean;
  /** Whether NULLs are the least values of an order without NULLS FIRST or LAST; else they are the greatest. */
  readonly nullsAreLeast: boolean;
  /** Whether an index on (a, b) has the order `b` where `a IS NULL`; else the order must be written as `a, b`. */
  readonly nullsAreConstant: boolean;
  /** Whether `IN (SELECT … LIMIT n)` is understood. */
  readonly limitsWithinIn: boolean;
}

const DATABASES: Readonly<Record<Dialect, Database>> = {
  postgresql: {
    dialect: 'postgresql',
    rowValues: true,
    nullsAreLeast: false,
    nullsAreConstant: false,
    limitsWithinIn: true,
  },
  mysql: {
    dialect: 'mysql',
    rowValues: false,
    nullsAreLeast: true,
    nullsAreConstant: true,
    limitsWithinIn: false,
  },
  sqlite: {
    dialect: 'sqlite',
    rowValues: true,
    nullsAreLeast: true,
    nullsAreConstant: true,
    limitsWithinIn: true,
  },
};

/** The database of a data source; undefined: one that this library is not tested with. */
export function databaseOf({
  driver,
}: {
  readonly driver: { readonly options: { readonly type: string } };
}): Database | undefined {
  const dialect = dialectOf(driver.options.type);
  return dialect && DATABASES[dialect];
}
