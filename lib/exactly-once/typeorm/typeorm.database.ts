import { InvalidOptionsError } from '../../iteration.errors.js';
import { type Dialect, dialectOf } from '../../sql.dialect.js';

/** The part of a data source's options that is used. */
export interface TypeOrmOptions {
  readonly type: string;
}

/** @throws InvalidOptionsError for a database on which exactly once is not tested. */
export function databaseOfTypeOrm(options: TypeOrmOptions, where: string): { dialect: Dialect; schema?: string } {
  // The driver `sqlite` of TypeORM 0.3 does not give back the rows of RETURNING.
  const dialect = options.type === 'sqlite' ? undefined : dialectOf(options.type);
  if (!dialect) {
    throw new InvalidOptionsError(
      `${where}: exactly once does not work on a data source of the type "${options.type}". ` +
        'It works on postgres, mariadb, mysql, better-sqlite3, sqljs',
    );
  }
  const { schema } = options as { readonly schema?: string };
  return dialect === 'postgresql' && schema ? { dialect, schema } : { dialect };
}
