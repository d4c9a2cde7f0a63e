import { InvalidOptionsError } from '../iteration.errors.js';
import { type Column, isPostgres, type Query } from './typeorm.query.js';

/** How a column's value leaves the database without loss. */
export interface ExactValue {
  /** An expression for the value; undefined: the column as the driver reads it. */
  readonly expression?: string;
  /** The value as JSON holds it; undefined when it is NULL or not exact. */
  read(value: unknown): string | number | undefined;
}

/**
 * The exact value of a column, whatever the session's TimeZone, DateStyle or extra_float_digits. It goes back as a
 * parameter without a type, which PostgreSQL reads as one of the column's own.
 *
 * @throws InvalidOptionsError for a type whose values no text holds exactly, and outside PostgreSQL for all but integers
 * and text.
 */
export function exactValue(query: Query<unknown>, column: Column, sql: string, source: string): ExactValue {
  const { driver } = query.dataSource;
  const type = driver.normalizeType(column).toLowerCase();
  if (!isPostgres(query.dataSource)) {
    if (ELSEWHERE.has(type) && !column.isArray) return { read: readPlain };
    throw refused(
      column,
      `${type} on ${driver.options.type}`,
      'Elsewhere than on PostgreSQL only integers and text are',
      source,
    );
  }
  if (column.isArray || type.endsWith('range') || INEXACT.has(type)) {
    throw refused(column, column.isArray ? `${type}[]` : type, 'Its text depends on the settings of a session', source);
  }
  if (PLAIN.has(type)) return { read: readPlain };
  // to_json writes ISO 8601 under every DateStyle, with the offset.
  if (TIMES.has(type)) return { expression: `(to_json(${sql}) #>> '{}')`, read: readText };
  // A float's text is cut short by extra_float_digits, its bytes are not.
  if (type === 'double precision') return { expression: `encode(float8send(${sql}), 'hex')`, read: readFloat };
  if (type === 'real') return { expression: `encode(float4send(${sql}), 'hex')`, read: readFloat };
  return { expression: `CAST(${sql} AS text)`, read: readText };
}

const PLAIN = new Set(['smallint', 'integer', 'uuid', 'character varying', 'text']);
const TIMES = new Set(['date', 'timestamp without time zone', 'timestamp with time zone']);
const INEXACT = new Set(['interval', 'money']);
const ELSEWHERE = new Set([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'integer'],
  ...['char', 'varchar', 'text', 'nchar', 'nvarchar', 'uuid', 'uniqueidentifier'],
]);

function readPlain(value: unknown): string | number | undefined {
  return typeof value === 'string' || Number.isSafeInteger(value) ? (value as string | number) : undefined;
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readFloat(hex: unknown): string | number | undefined {
  if (typeof hex !== 'string') return undefined;
  const bytes = Buffer.from(hex, 'hex');
  const value = bytes.length === 4 ? bytes.readFloatBE() : bytes.readDoubleBE();
  return Number.isFinite(value) ? value + 0 : String(value); // + 0: JSON has no -0, and the database sorts both as one
}

function refused(column: Column, type: string, why: string, source: string): InvalidOptionsError {
  return new InvalidOptionsError(
    `${source}: the key column "${column.propertyPath}" (${type}) cannot be followed exactly. ${why}. Choose another key column`,
  );
}
