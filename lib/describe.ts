import { isPlain } from './is.plain.js';

/** The most characters of a value that an error shows. */
const MOST = 200;

/**
 * A value that a user gave, as an error shows it: as JSON, and in words where JSON has none, such as `the function fetch` or
 * `a DataSource`. What an object of a class holds is not shown: it may be secret, and it may be large.
 */
export function describe(value: unknown): string {
  return isJsonObject(value) ? cut(jsonOf(value)) : wordsFor(value);
}

function cut(text: string): string {
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}

function wordsFor(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(cut(value));
    case 'bigint':
      return `${value}n`;
    case 'function':
      if (!value.name) return 'a function';
      return `the ${/^class\b/.test(String(value)) ? 'class' : 'function'} ${value.name}`;
    case 'object':
      return value === null ? 'null' : objectInWords(value);
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

function objectInWords(value: object): string {
  if (value instanceof Error) return cut(String(value));
  if (value instanceof Date && Number.isNaN(value.getTime())) return 'an invalid Date';
  const name = value.constructor?.name || 'object';
  return `${/^[AEIOU]/i.test(name) ? 'an' : 'a'} ${name}`;
}

/** An array, or an object without a class, that JSON shows as it is. */
function isJsonObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  return Array.isArray(value) || isPlain(value);
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value, (_, part: unknown) => (isLeaf(part) || isJsonObject(part) ? part : wordsFor(part)));
  } catch {
    return 'an object that holds itself';
  }
}

/** What JSON has as it is. */
function isLeaf(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || value === null || Number.isFinite(value);
}
