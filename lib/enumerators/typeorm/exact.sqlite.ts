import { compareNumbers } from '../contract/index.js';
import { type ExactValue, HEX, isLike, isNumber, isText, readText } from './exact.value.js';
import type { TableColumn } from './table.js';

/**
 * A value of SQLite, as it is stored: a column's type is only a wish there. It is compared by the collation of the table's
 * column, after the column's affinity has converted it; without an affinity nothing is converted.
 */
export function sqliteValue({ base, declared }: TableColumn, sql: string): ExactValue {
  if (declared.includes('BLOB')) {
    return {
      expression: `CASE typeof(${sql}) WHEN 'blob' THEN hex(${sql}) WHEN 'null' THEN NULL ELSE x'' END`,
      parameter: (parameter) => `unhex(${parameter})`,
      read: readText,
      accepts: isLike(HEX),
      because: 'Not all of its values are stored as bytes',
    };
  }
  // The driver cuts a text off at a character of code 0.
  const text = `CASE WHEN instr(${sql}, char(0)) > 0 THEN x'' ELSE ${sql} END`;
  // It makes a rounded double of an integer beyond 2^53, so that leaves as a text.
  const integer = (large: string) =>
    `CASE WHEN ${sql} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER} THEN ${sql} ELSE ${large} END`;
  const stored = (texts: string, large: string) =>
    `CASE typeof(${sql}) WHEN 'text' THEN ${texts} WHEN 'integer' THEN ${integer(large)} ELSE ${sql} END`;
  const isNumberOrText: ExactValue['accepts'] = (value) => isNumber(value) || isText(value);
  switch (base) {
    case 'TEXT':
      return { expression: stored(text, "x''"), read: readText, accepts: isText, because: ONLY_TEXTS };
    case 'INTEGER':
      return {
        expression: stored("x''", `CAST(${sql} AS TEXT)`),
        read: readNumber,
        accepts: (value) => isNumber(value) || isLike(NUMBER)(value),
        compare: compareNumbers,
        because: 'Not all of its values are numbers',
      };
    case 'NUMERIC':
      return {
        expression: stored(text, `CAST(${sql} AS TEXT)`),
        read: readNumber,
        accepts: isNumberOrText,
        compare: compareNumbers,
        because: ONLY_TEXTS,
      };
    default:
      return {
        expression: stored(text, "x''"),
        read: (value) =>
          value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? undefined : readNumber(value),
        accepts: isNumberOrText,
        compare: (one, other) => (isNumber(one) && isNumber(other) ? compareNumbers(one, other) : Number.NaN),
        because: `${ONLY_TEXTS}. In the table it has no type, and then integers beyond 2^53 and infinities are not exact`,
      };
  }
}

const ONLY_TEXTS =
  'A text must not hold characters of code 0, and what is neither a number nor a text is compared by its bytes: ' +
  'use a blob column';
const NUMBER = /^-?(\d+|9e999)$/;

function readNumber(value: unknown): string | number | undefined {
  if (typeof value === 'string') return value;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) return undefined;
  return Number.isFinite(number) ? number + 0 : number > 0 ? '9e999' : '-9e999'; // JSON has no infinity and no -0
}
