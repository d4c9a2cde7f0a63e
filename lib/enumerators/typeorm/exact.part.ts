import { InvalidOptionsError } from '../../iteration.errors.js';
import { mariaDbValue } from './exact.mysql.js';
import { postgresValue } from './exact.postgresql.js';
import { sqliteValue } from './exact.sqlite.js';
import { type ExactValue, type Inexact, readInteger } from './exact.value.js';
import { type ExactPart, isDeclaredInteger, type KeyPart } from './key.part.js';
import { columnIn, type Table, type TableColumn } from './table.js';

/**
 * How a column of a key is read from its table and compared again, whatever the settings of the session.
 *
 * @param table The table in the catalogue; undefined: the catalogue does not show it, and the entity decides.
 * @throws InvalidOptionsError for a type whose values no text holds exactly.
 */
export function exactPart(
  part: KeyPart,
  { table, database, name }: { table: Table | undefined; database: string; name: string },
): ExactPart {
  const column = table && columnIn(table, part.column);
  const value = table && column ? seenValue(part.sql, { table, column }) : unseenValue(part.declared);
  if ('inexact' in value) {
    const found = column ? `${column.declared} in the table` : 'of an unknown type in the table';
    throw new InvalidOptionsError(
      `${name}: the key column "${part.name}" (${part.declared} in the entity, ${found}) cannot be paged exactly on ` +
        `${database}. ${value.inexact}. Choose another key column`,
    );
  }
  const { expression, ...rest } = value;
  const isSelected = expression === undefined && part.plain !== undefined;
  return {
    type: column?.declared ?? part.declared,
    compared: part.sql,
    parameter: (parameter) => parameter,
    because: '',
    sortsWithoutEnd: false,
    ...part,
    ...rest,
    selection: isSelected ? undefined : (expression ?? part.sql),
    alias: isSelected ? part.plain : part.hidden,
  };
}

function seenValue(sql: string, { table, column }: { table: Table; column: TableColumn }): ExactValue | Inexact {
  switch (table.dialect) {
    case 'postgresql':
      return postgresValue(column, sql);
    case 'mysql':
      return mariaDbValue(column, sql);
    case 'sqlite':
      return sqliteValue(column, sql);
  }
}

function unseenValue(type: string): ExactValue | Inexact {
  return isDeclaredInteger(type) ? DECLARED : { inexact: NOT_SHOWN };
}

const DECLARED: ExactValue = {
  read: (value) => (typeof value === 'number' ? readInteger(value) : undefined),
  accepts: (value) => Number.isSafeInteger(value),
};
const NOT_SHOWN =
  'The catalogue does not show the table, as it does not show temporary ones, or cannot be asked; then only columns that ' +
  'are integers in the entity can be keys';
