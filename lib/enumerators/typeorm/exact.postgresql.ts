import { compareNumbers } from '../contract/index.js';
import {
  compareLike,
  DAY,
  type ExactValue,
  type Inexact,
  isInteger,
  isLike,
  isNumber,
  isText,
  readInteger,
  readText,
} from './exact.value.js';
import type { TableColumn } from './table.js';

/**
 * A value of PostgreSQL, whatever the session's TimeZone, DateStyle or extra_float_digits. It goes back as a parameter
 * without a type, which PostgreSQL reads as one of the column's own type and compares by the column's own collation.
 */
export function postgresValue({ base, enumeration, isFar }: TableColumn, sql: string): ExactValue | Inexact {
  const text = `CAST(${sql} AS text)`;
  if (base === 'int2' || base === 'int4') return { read: readInteger, accepts: isInteger, compare: compareNumbers };
  if (base === 'int8') return { expression: text, read: readText, accepts: isInteger, compare: compareNumbers };
  if (base === 'numeric') return { expression: text, read: readText, accepts: isNumeric, compare: compareNumbers };
  // A float's text is cut short by extra_float_digits, its bytes are not.
  if (base === 'float8') return floatOf(`encode(float8send(${sql}), 'hex')`);
  if (base === 'float4') return floatOf(`encode(float4send(${sql}), 'hex')`);
  if (base === 'text' || base === 'varchar') return { read: readText, accepts: isText };
  if (base === 'uuid') return { read: readText, accepts: isLike(UUID), compare: compareLike(UUID) };
  if (enumeration !== undefined) {
    // The operators of enums do not see through a domain; a cast to its base type is no change, and enters the index.
    return { expression: text, compared: `CAST(${sql} AS ${enumeration})`, read: readText, accepts: isText };
  }
  // to_json writes ISO 8601 under every DateStyle, with the offset.
  const time = TIMES[base];
  if (time) {
    return { expression: `(to_json(${sql}) #>> '{}')`, read: readText, accepts: isMoment, compare: compareLike(time) };
  }
  if (isFar) return { inexact: 'Its operators are in a schema that is not in the search_path: add it' };
  if (TEXTUAL.has(base)) return { expression: text, read: readText, accepts: isText };
  return { inexact: INEXACT[base] ?? 'PostgreSQL has no order of its values that this library knows' };
}

function floatOf(expression: string): ExactValue {
  return { expression, read: readFloat, accepts: isFloat, compare: compareNumbers };
}

const TEXTUAL = new Set([
  ...['bool', 'bpchar', 'name', 'bytea', 'time', 'timetz', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit'],
  ...['oid', 'xid8', 'pg_lsn', 'jsonb', 'tsvector', 'tsquery', 'citext', 'ltree'],
]);
const SETTINGS = 'Its text depends on the settings of a session';
const INEXACT: Readonly<Record<string, string>> = {
  interval: SETTINGS,
  money: SETTINGS,
  array: 'Arrays cannot be keys',
  range: SETTINGS,
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isNumeric = isLike(/^(-?\d+(\.\d+)?|-?Infinity|NaN)$/);
const isSpecial = isLike(/^(-?Infinity|NaN)$/);
const isFloat: ExactValue['accepts'] = (value) => isNumber(value) || isSpecial(value);
const isMoment = isLike(/^(\d|-?infinity$)/);
const TIMES: Readonly<Record<string, RegExp>> = {
  date: DAY,
  timestamp: /^\d{4}-\d\d-\d\dT[\d:.]+$/,
  timestamptz: /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/,
};

function readFloat(hex: unknown): string | number | undefined {
  if (typeof hex !== 'string') return undefined;
  const bytes = Buffer.from(hex, 'hex');
  const value = bytes.length === 4 ? bytes.readFloatBE() : bytes.readDoubleBE();
  return Number.isFinite(value) ? value + 0 : String(value); // + 0: JSON has no -0, and the database sorts both as one
}
