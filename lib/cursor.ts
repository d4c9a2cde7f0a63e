import { describe } from './describe.js';
import { isPlain } from './is.plain.js';
import { InvalidCursorError } from './iteration.errors.js';

/** A value that JSON gives back as it was. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Names the last item that is *finished*. `null` means that nothing is finished yet.
 *
 * A cursor is saved with the job: at most 16 KB as JSON, and at best under 1 KB.
 */
export type Cursor = Json;

/** The largest cursor, in bytes of JSON, that is saved. */
const MAX_CURSOR_BYTES = 16_384;

/** From this size on, in bytes of JSON, a cursor is warned about. */
export const LARGE_CURSOR_BYTES = 1_024;

/**
 * Checks that `value` survives JSON unchanged and is small enough to be saved with the job.
 *
 * @param what What the value is, for the error: `cursor` or `state`.
 * @returns Its size in bytes of JSON.
 * @throws InvalidCursorError naming the part at fault.
 */
export function checkJson(value: unknown, what = 'cursor'): number {
  checkExact(value, what, []);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > MAX_CURSOR_BYTES) {
    throw new InvalidCursorError(
      `The ${what} is ${bytes} bytes of JSON; at most ${MAX_CURSOR_BYTES} can be saved. Keep only what names the position`,
      what,
    );
  }
  return bytes;
}

/** Whether two values are the same in JSON; the order of an object's keys, and its prototype, mean nothing there. */
export function isSameJson(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other;
  if (Array.isArray(one)) return Array.isArray(other) && isSameArray(one, other);
  const names = Object.keys(one);
  return (
    !Array.isArray(other) &&
    names.length === Object.keys(other).length &&
    names.every(
      (name) =>
        Object.hasOwn(other, name) &&
        isSameJson((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]),
    )
  );
}

/** Without a closure: keys of rows are compared by it, each with the one before. */
function isSameArray(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = one.length - 1; index >= 0; index--) if (!isSameJson(one[index], other[index])) return false;
  return true;
}

function checkExact(value: unknown, path: string, ancestors: readonly unknown[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || Object.is(value, -0)) throw inexact(value, path);
    return;
  }
  if (
    typeof value !== 'object' ||
    ancestors.includes(value) ||
    typeof (value as { toJSON?: unknown }).toJSON === 'function'
  ) {
    throw inexact(value, path);
  }
  const within = [...ancestors, value];
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) checkExact(value[index], `${path}[${index}]`, within);
    return;
  }
  if (!isPlain(value) || Object.getOwnPropertySymbols(value).length > 0) {
    throw inexact(value, path);
  }
  for (const [key, part] of Object.entries(value)) checkExact(part, `${path}.${key}`, within);
}

function inexact(value: unknown, path: string): InvalidCursorError {
  return new InvalidCursorError(
    `${path} is ${describe(value)}, which JSON does not give back as it was. ${insteadOf(value)}`,
    path,
  );
}

function insteadOf(value: unknown): string {
  if (typeof value === 'bigint') return 'Use String(value)';
  if (value instanceof Date) return 'Use its ISO string, or the text of the database for microseconds';
  return 'Use strings, finite numbers, booleans, null, and plain arrays and objects of them';
}
