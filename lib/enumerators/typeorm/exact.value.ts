import type { Json } from '../../cursor.js';

/** How a column's value leaves the database without loss, and how it is compared when it comes back. */
export interface ExactValue {
  /** An expression for the value; undefined: the column as the driver reads it. */
  readonly expression?: string;
  /** What is compared with a key's value; by default the column. */
  readonly compared?: string;
  /** SQL for a key's value that is bound to a parameter; by default the parameter. */
  parameter?(parameter: string, value: Json): string;
  /** The value as JSON holds it; undefined when it is NULL or not exact. */
  read(value: unknown): string | number | undefined;
  /** Why `read` finds some values not exact, for the error. */
  readonly because?: string;
}

/** A type that cannot be followed, and why. */
export interface Inexact {
  readonly inexact: string;
}

export function readPlain(value: unknown): string | number | undefined {
  return typeof value === 'string' ? value : readInteger(value);
}

export function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function readInteger(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) + 0 : undefined;
}
