import type { Cursor, Json } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidCursorError, InvalidEnumeratorError } from '../../iteration.errors.js';
import type { KeyValues } from '../contract/index.js';
import type { KeyField } from './key.js';
import { millisecondOf, type Offset, textOf } from './timestamp.js';

/** A key value of a row as JSON. A rounded time is read by SQL instead. */
export function fromPrisma(part: KeyField, value: unknown): Json {
  const { field, nulls, sorted } = part;
  if (value === null && nulls) return null;
  const json = jsonOf(part, value);
  if (sorted !== undefined && typeof json === 'string' && json.length > sorted) {
    throw new InvalidEnumeratorError(
      `The rows hold a text of ${json.length} characters as "${field.name}", and the database sorts long texts only by ` +
        `their beginning, so at most ${sorted} characters are exact. Choose another key field`,
    );
  }
  if (json !== undefined) return json;
  throw new InvalidEnumeratorError(
    `The rows hold ${describe(value)} as "${field.name}", which is not ${withArticle(field.type)} that a cursor can hold. ` +
      (value instanceof Date
        ? 'Prisma reads only the years 1 to 9999: infinity, and other years, cannot be in a key'
        : 'Does an extension of the client compute a field of that name?'),
  );
}

function jsonOf({ field: { type }, offset }: KeyField, value: unknown): Json | undefined {
  switch (type) {
    case 'Int':
      return Number.isSafeInteger(value) ? (value as number) : undefined;
    case 'Float':
      return Number.isFinite(value) ? (value as number) + 0 : undefined; // + 0: JSON has no -0
    case 'BigInt':
      return typeof value === 'bigint' ? String(value) : undefined;
    case 'Decimal':
      return decimalText(value);
    case 'DateTime':
      return value instanceof Date && !Number.isNaN(value.getTime()) ? timeText(value, offset) : undefined;
    default:
      return typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
  }
}

function timeText(time: Date, offset: Offset | undefined): string | undefined {
  return offset === undefined ? time.toISOString() : textOf(time, offset);
}

/** A number has `toFixed` too, which rounds. */
function decimalText(value: unknown): string | undefined {
  if (typeof value !== 'object') return undefined;
  const text = (value as { toFixed?(): string } | null)?.toFixed?.();
  return text === 'NaN' ? undefined : text;
}

/** A key value from the database's text. */
export function fromText({ field }: KeyField, text: string | null): Json {
  if (text === null) return null;
  if (field.type === 'Int' || field.type === 'Float') return Number(text);
  if (field.type === 'Boolean') return text === 'true';
  if (field.native === 'Date') return new Date(text).toISOString();
  return [...(field.values ?? [])].find(([, label]) => label === text)?.[0] ?? text;
}

/** A key value, not null, as text for the database. */
export function toText({ field }: KeyField, value: Json | undefined): string {
  return field.values?.get(String(value)) ?? String(value);
}

/** A cursor's value as an argument of Prisma's. */
export function toPrisma({ field }: KeyField, value: Json | undefined): unknown {
  if (value === null) return null;
  if (field.type === 'BigInt') return BigInt(value as string);
  if (field.type !== 'DateTime') return value;
  return field.native === 'Date' ? new Date(value as string) : millisecondOf(value as string).from;
}

/** The key's values in a cursor. */
export function cursorValues(cursor: Cursor): KeyValues {
  return Array.isArray(cursor) ? cursor : [cursor];
}

/**
 * Checks a cursor's values against the key before anything is read.
 *
 * @throws InvalidCursorError for a cursor of another key.
 */
export function checkCursor(name: string, key: readonly KeyField[], cursor: Cursor): void {
  if (cursor === null) return;
  const values = cursorValues(cursor);
  if (values.length !== key.length) return; // keyValues() says it better
  for (const [index, part] of key.entries()) {
    if (isPossible(part, values[index])) continue;
    throw new InvalidCursorError(
      `${name}: the cursor ${describe(cursor)} has ${describe(values[index])} for "${part.field.name}", ` +
        `which is not ${withArticle(part.field.type)}. Was the key changed? Then raise the processor's "version"`,
      'cursor',
    );
  }
}

function isPossible({ field: { type, values }, nulls }: KeyField, value: Json | undefined): boolean {
  if (value === null) return nulls !== undefined;
  if (type === 'Int') return Number.isSafeInteger(value);
  if (type === 'Float') return Number.isFinite(value);
  if (type === 'Boolean') return typeof value === 'boolean';
  if (typeof value !== 'string') return false;
  if (values) return values.has(value);
  if (type === 'BigInt') return /^-?\d+$/.test(value);
  if (type === 'Decimal') return /^-?\d+(\.\d+)?$/.test(value);
  return type !== 'DateTime' || !Number.isNaN(Date.parse(value));
}

function withArticle(type: string): string {
  return `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`;
}
