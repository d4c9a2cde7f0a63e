import type { Cursor } from '../../cursor.js';
import { InvalidCursorError } from '../../iteration.errors.js';

/** Where a nested source is: in which outer item, and how far in it. */
export type NestedCursor = {
  readonly outer: Place;
  readonly inner: Progress;
};

/** An outer item, by what names it and what stands before it. */
export type Place = {
  /** The cursor before the item: from there it is found again. */
  readonly after: Cursor;
  readonly at: Cursor;
  /** How many outer items stand before it. */
  readonly finished: number;
  /** The item's fingerprint, where `at` is only a place in a list. Older cursors have none. */
  readonly item?: string;
};

/** How far the items of one outer item are. */
export type Progress = {
  readonly at: Cursor;
  readonly finished: number;
};

/** @throws InvalidCursorError for what is no cursor of `nested`. */
export function nestedCursor(cursor: Cursor): NestedCursor | null {
  if (cursor === null) return null;
  if (isNested(cursor)) return cursor;
  throw new InvalidCursorError(
    `The cursor ${JSON.stringify(cursor)} is not one of nested with so many levels: { outer: { after, at, finished }, ` +
      'inner: { at, finished } }, or null. Were the levels changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

function isNested(cursor: Cursor): cursor is NestedCursor {
  const { outer, inner } = (cursor ?? {}) as Partial<NestedCursor>;
  return isProgress(outer) && (outer as Partial<Place>).after !== undefined && outer.at !== null && isProgress(inner);
}

function isProgress(value: Partial<Progress> | undefined): value is Progress {
  return (
    typeof value === 'object' &&
    value !== null &&
    value.at !== undefined &&
    Number.isInteger(value.finished) &&
    (value.finished as number) >= 0
  );
}
