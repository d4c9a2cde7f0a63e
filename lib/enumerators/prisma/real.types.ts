import type { Dialect } from '../../sql.dialect.js';
import type { PrismaField } from './model.js';
import type { RealColumn } from './table.js';

/** How a column fits its field. */
interface Match {
  readonly mismatch?: string;
  /** SQL for values that cannot be paged, if only the values show it. */
  readonly strange?: string;
  /** By how many characters the database sorts a text. */
  readonly sorted?: number;
}

const POSTGRES: Readonly<Record<string, readonly string[]>> = {
  Int: ['int2', 'int4', 'int8'],
  BigInt: ['int2', 'int4', 'int8'],
  Float: ['float8', 'int2', 'int4'],
  Decimal: ['numeric', 'int2', 'int4', 'int8'],
  Boolean: ['bool'],
  String: ['text', 'varchar', 'bpchar', 'citext', 'uuid', 'name', 'inet', 'bit', 'varbit'],
  DateTime: ['timestamp', 'timestamptz'],
  Date: ['date'],
};
const MYSQL_INTEGERS = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'year'];
const MYSQL_TEXTS = ['varchar', 'char', 'tinytext', 'text', 'mediumtext', 'longtext', 'uuid'];

/** MariaDB sorts by `max_sort_length` bytes, by default 1,024; a character has at most six, with three levels of weights. */
const SORTED_CHARACTERS = 160;

export function matchOf(dialect: Dialect | undefined, field: PrismaField, column: RealColumn, name: string): Match {
  if (dialect === 'mysql') return mySqlMatch(field, column, name);
  return dialect === 'sqlite' ? sqliteMatch(field, column, name) : postgresMatch(field, column);
}

function postgresMatch(field: PrismaField, { type }: RealColumn): Match {
  if (field.kind === 'enum') {
    return type === 'enum'
      ? {}
      : { mismatch: "it is not an enum of PostgreSQL's, so the order of its values is unknown" };
  }
  return POSTGRES[field.native === 'Date' ? 'Date' : field.type]?.includes(type) ? {} : { mismatch: DIFFERENT };
}

const DIFFERENT = 'Prisma reads or compares such values as others than the database sorts by';

function mySqlMatch(field: PrismaField, column: RealColumn, name: string): Match {
  const { type, shown, collation = '', charset, length = 0 } = column;
  if (field.type === 'Int' || field.type === 'BigInt') {
    return MYSQL_INTEGERS.includes(type) ? {} : { mismatch: DIFFERENT };
  }
  if (field.type === 'Boolean') {
    if (shown === 'bit(1)') return {};
    return type === 'tinyint' ? { strange: `${name} NOT IN (0, 1)` } : { mismatch: DIFFERENT };
  }
  if (!MYSQL_TEXTS.includes(type)) return { mismatch: DIFFERENT };
  if (charset) {
    return { mismatch: `the connection's character set changes some texts of ${charset}; connect with utf8mb4` };
  }
  const isUnpadded = /nopad|_0900_/.test(collation);
  if (isUnpadded && type === 'char') {
    return { mismatch: 'a CHAR of a NO PAD collation is sorted with its trailing spaces and compared without them' };
  }
  return {
    ...(isUnpadded && { strange: `HEX(RIGHT(${name}, 1)) = '00'` }),
    ...(length > SORTED_CHARACTERS && { sorted: SORTED_CHARACTERS }),
  };
}

function sqliteMatch(field: PrismaField, { type, strict }: RealColumn, name: string): Match {
  const isInteger = type.includes('int');
  if (field.type === 'Boolean') {
    const strange = `typeof(${name}) NOT IN ('integer', 'null') OR ${name} NOT IN (0, 1)`;
    return isInteger || type.includes('bool') ? { strange } : { mismatch: DIFFERENT };
  }
  const isText = !isInteger && /char|clob|text/.test(type);
  if (field.type === 'String' ? !isText : !isInteger) return { mismatch: DIFFERENT };
  if (strict) return {};
  return { strange: `typeof(${name}) NOT IN ('${isText ? 'text' : 'integer'}', 'null')` };
}
