import type { Json } from '../../cursor.js';
import type { ColumnOrder } from '../contract/index.js';

/** How a column's value is read from the database without loss, and compared again. */
export interface ExactValue {
  /** An expression for the value; undefined: the column as the driver reads it. */
  readonly expression?: string;
  /** The expression that is compared with a key's value; by default the column. */
  readonly compared?: string;
  /** SQL for a key's value that is bound to a parameter; by default the parameter. */
  parameter?(parameter: string, value: Json): string;
  /** The value as JSON; undefined if it is NULL or not exact. */
  read(value: unknown): string | number | undefined;
  /** Whether a value of a cursor can be one of `read`. */
  accepts(value: Json): boolean;
  /** The order of the values, where it is known. */
  readonly compare?: ColumnOrder['compare'];
  /** Why some values are not exact, for the error. */
  readonly because?: string;
  /** Whether a sort treats a text as equal to the same text plus characters of code 0, unlike a comparison. */
  readonly sortsWithoutEnd?: boolean;
}

/** A type that cannot be paged exactly, and why. */
export interface Inexact {
  readonly inexact: string;
}

/** An integer, as a number or as digits. */
export function readInteger(value: unknown): number | undefined {
  const number = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) + 0 : undefined; // JSON has no -0
}

export function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function isInteger(value: Json): boolean {
  return typeof value === 'string' ? DIGITS.test(value) : Number.isSafeInteger(value);
}

export function isText(value: Json): boolean {
  return typeof value === 'string';
}

export function isNumber(value: Json): boolean {
  return typeof value === 'number';
}

/** Whether it is a text that a pattern matches. */
export function isLike(pattern: RegExp): (value: Json) => boolean {
  return (value) => typeof value === 'string' && pattern.test(value);
}

/** Orders texts that match a pattern by their characters. The order of other texts is not known. */
export function compareLike(pattern: RegExp): NonNullable<ColumnOrder['compare']> {
  const matches = isLike(pattern);
  return (one, other) => {
    if (!matches(one) || !matches(other)) return Number.NaN;
    return (one as string) < (other as string) ? -1 : one === other ? 0 : 1;
  };
}

const DIGITS = /^-?\d+$/;
export const DECIMAL = /^-?\d+(\.\d+)?$/;
export const HEX = /^([0-9A-F]{2})*$/;
export const DAY = /^\d{4}-\d\d-\d\d$/;
