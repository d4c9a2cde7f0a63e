import { describe } from '../../describe.js';
import { InvalidCursorError } from '../../iteration.errors.js';

/** The cursor of a source that counts from 0. @throws InvalidCursorError for anything else. */
export function indexCursor(cursor: unknown): number | null {
  if (cursor === null || (Number.isInteger(cursor) && (cursor as number) >= 0)) return cursor as number | null;
  throw new InvalidCursorError(
    `The cursor ${describe(cursor)} is not an index: a whole number from 0, or null`,
    'cursor',
  );
}
