import type { Json } from '../../cursor.js';
import { type ExactValue, type Inexact, readInteger, readText } from './exact.value.js';

/**
 * A value of MariaDB, whatever the driver's options (dateStrings, timezone, typeCast, bigNumberStrings).
 *
 * A number is compared as DECIMAL or DOUBLE: by a text no index is entered, and the comparison may be one of rounded
 * doubles. A date is compared with a text as a date, and a text by the column's own collation.
 */
export function mariaDbValue(type: string, sql: string): ExactValue | Inexact {
  if (INTEGERS.has(type)) return { read: readInteger };
  if (TEXTS.has(type)) return { read: readSortedText, because: sortedBy(`${SORTED_CHARACTERS} characters`) };
  const text = `CAST(${sql} AS CHAR)`;
  if (type === 'tinyint' || type === 'year') return { expression: text, read: readDigits };
  if (type === 'bigint' || type === 'decimal') return { expression: text, parameter: asDecimal, read: readText };
  if (type === 'float' || type === 'double') {
    return { expression: `CAST(CAST(${sql} AS DOUBLE) AS CHAR)`, parameter: asDouble, read: readDouble };
  }
  if (DATES.has(type)) return { expression: text, read: readText };
  // By its position among the values, as MariaDB sorts it; its text would be compared as a text.
  if (type === 'enum') return { expression: `(${sql} + 0)`, compared: `(${sql} + 0)`, read: readInteger };
  if (BINARIES.has(type)) {
    const because = sortedBy(`${SORTED_BYTES} bytes`);
    return { expression: `HEX(${sql})`, parameter: asBytes, read: readSortedBytes, because };
  }
  return { inexact: REFUSED[type] ?? 'Its order is not known' };
}

const INTEGERS = new Set(['smallint', 'mediumint', 'int']);
const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);
const DATES = new Set(['date', 'datetime', 'time', 'uuid']);
const BINARIES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);
const REFUSED: Readonly<Record<string, string>> = {
  timestamp:
    'It is compared in the time zone of the session, where an hour comes twice when the clocks go back; ' +
    'DATETIME(6) is exact',
  set: 'It is a set of bits, not a value with an order',
};

/** MariaDB sorts by `max_sort_length` bytes, by default 1,024; a character has at most six, with three levels of weights. */
const SORTED_CHARACTERS = 160;
const SORTED_BYTES = 1_000;

function sortedBy(length: string): string {
  return `MariaDB sorts long values by their beginning only, so no more than ${length} can be followed`;
}

function readSortedText(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= SORTED_CHARACTERS ? value : undefined;
}

function readSortedBytes(hex: unknown): string | undefined {
  return typeof hex === 'string' && hex.length <= 2 * SORTED_BYTES ? hex : undefined;
}

function readDigits(value: unknown): number | undefined {
  return typeof value === 'string' ? readInteger(Number(value)) : undefined;
}

function readDouble(value: unknown): number | undefined {
  return typeof value === 'string' && value !== '' ? Number(value) + 0 : undefined; // JSON has no -0
}

function asDecimal(parameter: string, value: Json): string {
  return `CAST(${parameter} AS DECIMAL(65,${(String(value).split('.')[1] ?? '').length}))`;
}

function asDouble(parameter: string): string {
  return `CAST(${parameter} AS DOUBLE)`;
}

function asBytes(parameter: string): string {
  return `UNHEX(${parameter})`;
}
