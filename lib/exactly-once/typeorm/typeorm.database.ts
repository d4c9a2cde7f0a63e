import { InvalidOptionsError } from '../../iteration.errors.js';
import type { Dialect } from '../table/index.js';

/** What is used of a data source's options. */
export interface TypeOrmOptions {
  readonly type: string;
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: 'postgresql',
  mariadb: 'mysql',
  mysql: 'mysql',
  'better-sqlite3': 'sqlite',
  sqljs: 'sqlite',
};

/** @throws InvalidOptionsError for a database that exactly once is not known to work on. */
export function databaseOfTypeOrm(options: TypeOrmOptions, where: string): { dialect: Dialect; schema?: string } {
  const dialect = Object.hasOwn(DIALECTS, options.type) ? DIALECTS[options.type] : undefined;
  if (!dialect) {
    throw new InvalidOptionsError(
      `${where}: exactly once does not work on a data source of the type "${options.type}". ` +
        `It works on ${Object.keys(DIALECTS).join(', ')}`,
    );
  }
  const { schema } = options as { readonly schema?: string };
  return dialect === 'postgresql' && schema ? { dialect, schema } : { dialect };
}
