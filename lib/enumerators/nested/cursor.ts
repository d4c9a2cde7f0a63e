import type { Cursor } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidCursorError } from '../../iteration.errors.js';

/** Position in a nested source: the outer item, and the position inside it. */
export type NestedCursor = {
  readonly outer: OuterPosition;
  readonly inner: InnerPosition;
};

/** The outer item, by its cursor and the one before. */
export type OuterPosition = {
  /** The cursor before the item. The search for the item starts there. */
  readonly after: Cursor;
  readonly at: Cursor;
  /** How many outer items are before it. */
  readonly finished: number;
  /** The item's fingerprint, where `at` is only a position in a list. Older cursors have none. */
  readonly item?: string;
};

/** How far the items of one outer item are handled. */
export type InnerPosition = {
  readonly at: Cursor;
  readonly finished: number;
};

/** @throws InvalidCursorError for a value that is not a cursor of `nested`. */
export function nestedCursor(cursor: Cursor): NestedCursor | null {
  if (cursor === null) return null;
  if (isNested(cursor)) return cursor;
  throw new InvalidCursorError(
    `The cursor ${describe(cursor)} is not one of nested with so many levels: { outer: { after, at, finished }, ` +
      'inner: { at, finished } }, or null. Were the levels changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

function isNested(cursor: Cursor): cursor is NestedCursor {
  const { outer, inner } = cursor as Partial<NestedCursor>;
  return (
    isPosition(outer) && (outer as Partial<OuterPosition>).after !== undefined && outer.at !== null && isPosition(inner)
  );
}

function isPosition(value: Partial<InnerPosition> | undefined): value is InnerPosition {
  return (
    typeof value === 'object' &&
    value !== null &&
    value.at !== undefined &&
    Number.isInteger(value.finished) &&
    (value.finished as number) >= 0
  );
}
