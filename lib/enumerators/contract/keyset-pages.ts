import { isDeepStrictEqual } from 'node:util';
import type { Cursor, Json } from '../../cursor.js';
import { InvalidCursorError, InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Bounds, Page } from './source.js';

/** One value a key column, in the order of the key. */
export type KeyValues = readonly Json[];

/** How a keyset source gets its rows; everything else about paging is {@link keysetPages}. */
export interface KeysetQuery<Row> {
  /** The source, for error messages: `User by (createdAt, id)`. */
  readonly name: string;
  readonly columns: number;
  readonly pageSize: number;
  /** At most `limit` rows behind `after`, up to and including `until`, in the order of the key. */
  fetch(
    bounds: { readonly after: KeyValues | null; readonly until: KeyValues | null },
    limit: number,
  ): Promise<readonly KeyedRow<Row>[]>;
}

export interface KeyedRow<Row> {
  readonly row: Row;
  /** Read when the row was fetched: a handler may change the row. */
  readonly key: KeyValues;
}

/**
 * Pages of a keyset source, one query each, no OFFSET.
 *
 * The cursor is the key's value, or the array of its values when the key has several columns.
 *
 * @throws InvalidCursorError for a cursor of another shape.
 * @throws InvalidEnumeratorError for a page that does not move forward (R8).
 */
export async function* keysetPages<Row>(
  query: KeysetQuery<Row>,
  bounds: Bounds,
): AsyncGenerator<Page<Row>, void, void> {
  let after = keyOf(bounds.after, query);
  const until = keyOf(bounds.until, query);
  for (;;) {
    const rows = await query.fetch({ after, until }, query.pageSize);
    const last = rows.at(-1);
    if (!last) return;
    if (isDeepStrictEqual(rows[0]?.key, after) || isDeepStrictEqual(last.key, after)) {
      throw new InvalidEnumeratorError(
        `${query.name}: a page behind ${JSON.stringify(after)} came back with that same key, so it would never end. ` +
          'The key must be unique, and the query must honour it',
      );
    }
    yield { items: rows.map(({ row }) => row), cursorAt: (index) => cursorOf((rows[index] as KeyedRow<Row>).key) };
    if (rows.length < query.pageSize) return;
    after = last.key;
  }
}

function cursorOf(key: KeyValues): Cursor {
  return key.length === 1 ? (key[0] as Json) : key;
}

function keyOf(cursor: Cursor, { name, columns }: KeysetQuery<unknown>): KeyValues | null {
  if (cursor === null) return null;
  const key = Array.isArray(cursor) ? (cursor as KeyValues) : [cursor];
  if (key.length === columns) return key;
  throw new InvalidCursorError(
    `${name}: the cursor ${JSON.stringify(cursor)} has ${key.length} value(s) for a key of ${columns} column(s). ` +
      'Was the key changed? Then raise the processor\'s "version"',
    'cursor',
  );
}
