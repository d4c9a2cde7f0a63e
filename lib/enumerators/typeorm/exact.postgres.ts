import { type ExactValue, type Inexact, readPlain, readText } from './exact.value.js';

/**
 * A value of PostgreSQL, whatever the session's TimeZone, DateStyle or extra_float_digits. It goes back as a parameter
 * without a type, which PostgreSQL reads as one of the column's own type and compares by the column's own collation.
 */
export function postgresValue(type: string, sql: string): ExactValue | Inexact {
  if (INEXACT.has(type) || type.endsWith('range')) return { inexact: 'Its text depends on the settings of a session' };
  if (UNORDERED.has(type)) return { inexact: 'PostgreSQL has no order of its values' };
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
const UNORDERED = new Set([
  ...['json', 'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'geometry', 'geography'],
  ...['hstore', 'cube'],
]);

function readFloat(hex: unknown): string | number | undefined {
  if (typeof hex !== 'string') return undefined;
  const bytes = Buffer.from(hex, 'hex');
  const value = bytes.length === 4 ? bytes.readFloatBE() : bytes.readDoubleBE();
  return Number.isFinite(value) ? value + 0 : String(value); // + 0: JSON has no -0, and the database sorts both as one
}
