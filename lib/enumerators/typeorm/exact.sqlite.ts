import { type ExactValue, type Inexact, readText } from './exact.value.js';

/**
 * A value of SQLite, as it is stored: a column's type is only a wish there. It is compared by the column's affinity and
 * collation. An integer leaves as text, since the driver makes a rounded double of it.
 */
export function sqliteValue(type: string, sql: string): ExactValue | Inexact {
  if (type.includes('blob')) {
    return {
      expression: `CASE typeof(${sql}) WHEN 'blob' THEN hex(${sql}) WHEN 'null' THEN NULL ELSE x'' END`,
      parameter: (parameter) => `unhex(${parameter})`,
      read: readText,
      because: 'Not all of its values are stored as bytes',
    };
  }
  // The driver cuts a text off at a character of code 0.
  const text = `CASE WHEN instr(${sql}, char(0)) > 0 THEN x'' ELSE ${sql} END`;
  return {
    expression: `CASE typeof(${sql}) WHEN 'integer' THEN CAST(${sql} AS TEXT) WHEN 'text' THEN ${text} ELSE ${sql} END`,
    read: /char|clob|text/.test(type) ? readText : readNumber,
    because:
      'A text must not hold characters of code 0, and what is no text is compared by its bytes: use a blob column',
  };
}

function readNumber(value: unknown): string | number | undefined {
  if (typeof value === 'string') {
    const number = Number(value);
    return Number.isSafeInteger(number) && String(number) === value ? number : value;
  }
  if (typeof value !== 'number' || Number.isNaN(value)) return undefined;
  return Number.isFinite(value) ? value + 0 : value > 0 ? '9e999' : '-9e999'; // JSON has no infinity and no -0
}
