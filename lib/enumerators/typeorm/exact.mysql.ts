import type { Json } from '../../cursor.js';
import { compareNumbers } from '../contract/index.js';
import {
  compareLike,
  DAY,
  DECIMAL,
  type ExactValue,
  HEX,
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
 * A value of MariaDB or MySQL, whatever the driver and its options (dateStrings, timezone, typeCast, bigNumberStrings).
 *
 * A number is compared as DECIMAL or double: by a text no index is entered, and the comparison may be one of rounded
 * doubles. A date is compared with a text as a date, and a text by the column's own collation.
 */
export function mariaDbValue({ base, declared, isNoPad }: TableColumn, sql: string): ExactValue | Inexact {
  const text = `CAST(${sql} AS CHAR)`;
  if (INTEGERS.has(base)) {
    // A driver makes a text of a number with leading zeros, and a typeCast may make a boolean of a tinyint.
    const isPlain = base !== 'tinyint' && base !== 'year' && !declared.includes('zerofill');
    return { expression: isPlain ? undefined : text, read: readInteger, accepts: isInteger, compare: compareNumbers };
  }
  if (TEXTS.has(base)) return textOf({ base, isNoPad }, sql);
  if (base === 'bigint') {
    return { expression: text, parameter: asDecimal, read: readText, accepts: isInteger, compare: compareNumbers };
  }
  if (base === 'decimal') {
    const accepts = isLike(DECIMAL);
    return { expression: text, parameter: asDecimal, read: readText, accepts, compare: compareNumbers };
  }
  if (base === 'float' || base === 'double') {
    // `+ 0e0` makes a double of it on every server; CAST(… AS DOUBLE) is younger than MySQL 8.0.17.
    const expression = `CAST((${sql} + 0e0) AS CHAR)`;
    return { expression, parameter: asDouble, read: readDouble, accepts: isNumber, compare: compareNumbers };
  }
  const date = DATES[base];
  if (date) return { expression: text, read: readText, accepts: isLike(date), compare: compareLike(date) };
  if (base === 'time') return { expression: text, read: readText, accepts: isLike(TIME) };
  if (base === 'uuid') return { expression: text, read: readText, accepts: isText };
  // By its number, as MariaDB sorts it: an enum's position among its values, whose text would be compared as a text.
  if (base === 'enum' || base === 'bit') {
    const number = `(${sql} + 0)`;
    return { expression: number, compared: number, read: readInteger, accepts: isInteger, compare: compareNumbers };
  }
  if (BINARIES.has(base)) {
    const because = sortedBy(`${SORTED_BYTES} bytes`);
    const order = { accepts: isLike(HEX), compare: compareLike(HEX) };
    return { expression: `HEX(${sql})`, parameter: asBytes, read: readSortedBytes, because, ...order };
  }
  return { inexact: REFUSED[base] ?? 'Its order is not known' };
}

function textOf({ base, isNoPad }: Pick<TableColumn, 'base' | 'isNoPad'>, sql: string): ExactValue | Inexact {
  if (isNoPad && base === 'char') return { inexact: UNPADDED_CHAR };
  const because = sortedBy(`${SORTED_CHARACTERS} characters`);
  // The JSON of MariaDB is a LONGTEXT that drivers parse; what CONCAT makes of it is only a text.
  const expression = base === 'longtext' ? `CONCAT(${sql})` : undefined;
  if (!isNoPad) return { expression, read: readSortedText, accepts: isText, because };
  return {
    expression,
    read: (value) => (String(value).includes('\0') ? undefined : readSortedText(value)),
    accepts: isText,
    because: `${because}, and by a NO PAD collation no text with a character of code 0`,
    sortsWithoutEnd: true,
  };
}

const INTEGERS = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'year']);
const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);
const DATES: Readonly<Record<string, RegExp>> = { date: DAY, datetime: /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/ };
const TIME = /^-?\d+:\d\d:\d\d(\.\d+)?$/;
const BINARIES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);
const REFUSED: Readonly<Record<string, string>> = {
  timestamp:
    'It is compared in the time zone of the session, where an hour comes twice when the clocks go back; ' +
    'DATETIME(6) is exact',
  set: 'It is a set of bits, not a value with an order',
};
const UNPADDED_CHAR =
  'It is a CHAR with a NO PAD collation, which is sorted with its trailing spaces and compared without them; VARCHAR is exact';

/** MariaDB sorts by `max_sort_length` bytes, by default 1,024; a character has at most six, with three levels of weights. */
const SORTED_CHARACTERS = 160;
const SORTED_BYTES = 1_000;

function sortedBy(length: string): string {
  return `Long values are sorted only by their beginning, so at most ${length} are exact`;
}

function readSortedText(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= SORTED_CHARACTERS ? value : undefined;
}

function readSortedBytes(hex: unknown): string | undefined {
  return typeof hex === 'string' && hex.length <= 2 * SORTED_BYTES ? hex : undefined;
}

function readDouble(value: unknown): number | undefined {
  return typeof value === 'string' && value !== '' ? Number(value) + 0 : undefined; // JSON has no -0
}

function asDecimal(parameter: string, value: Json): string {
  return `CAST(${parameter} AS DECIMAL(65,${(String(value).split('.')[1] ?? '').length}))`;
}

function asDouble(parameter: string): string {
  return `(${parameter} + 0e0)`;
}

function asBytes(parameter: string): string {
  return `UNHEX(${parameter})`;
}
