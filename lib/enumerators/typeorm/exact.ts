import type { Json } from '../../cursor.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import { databaseOf } from './database.js';
import { mariaDbValue } from './exact.mariadb.js';
import { postgresValue } from './exact.postgres.js';
import { sqliteValue } from './exact.sqlite.js';
import type { ExactValue, Inexact } from './exact.value.js';
import { readPlain } from './exact.value.js';
import type { Column, Query } from './query.js';

/**
 * The exact value of a column, whatever the settings of the session.
 *
 * @throws InvalidOptionsError for a type whose values no text holds exactly.
 */
export function exactValue(
  query: Query<unknown>,
  column: Column,
  sql: string,
  source: string,
): Required<Omit<ExactValue, 'expression'>> & Pick<ExactValue, 'expression'> {
  const { driver } = query.dataSource;
  const type = driver.normalizeType(column).toLowerCase();
  const value = column.isArray ? { inexact: 'Arrays are not followed' } : exactOf(query, { type, sql });
  if (!('inexact' in value)) return { compared: sql, parameter: asItIs, because: '', ...value };
  throw new InvalidOptionsError(
    `${source}: the key column "${column.propertyPath}" (${type}${column.isArray ? '[]' : ''}) cannot be followed ` +
      `exactly on ${driver.options.type}. ${value.inexact}. Choose another key column`,
  );
}

function exactOf(
  { dataSource }: Query<unknown>,
  column: { readonly type: string; readonly sql: string },
): ExactValue | Inexact {
  const database = databaseOf(dataSource);
  switch (database?.name) {
    case 'postgres':
      return postgresValue(column.type, column.sql);
    case 'mariadb':
      return mariaDbValue(column.type, column.sql);
    case 'sqlite':
      return sqliteValue(column.type, column.sql);
    case undefined:
      return ANYWHERE.has(column.type) ? { read: readPlain } : { inexact: 'There only integers and text are' };
  }
}

function asItIs(parameter: string, _value: Json): string {
  return parameter;
}

const ANYWHERE = new Set([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'integer'],
  ...['char', 'varchar', 'text', 'nchar', 'nvarchar', 'uuid', 'uniqueidentifier'],
]);
