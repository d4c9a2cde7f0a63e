import { type Cursor, isSameJson, type Json } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidCursorError, InvalidEnumeratorError } from '../../iteration.errors.js';
import { type ColumnOrder, checkOrder, type KeyValues } from './key-order.js';
import type { Page } from './page.js';
import type { Bounds } from './source.js';

/** A range of a key: after the one, up to and including the other. */
export interface KeyBounds {
  readonly after: KeyValues | null;
  readonly until: KeyValues | null;
}

/** How a keyset source gets its rows; everything else about paging is {@link keysetPages}. */
export interface KeysetQuery<Row> {
  /** The source, for error messages: `User by (createdAt, id)`. */
  readonly name: string;
  readonly columns: number;
  readonly pageSize: number;
  /** The order of each column, as far as it is known. Read after each fetch: a fetch may ask the database for it. */
  readonly orders?: readonly ColumnOrder[];
  /** At most `limit` rows within the bounds, in the order of the key; none at the end. */
  fetch(bounds: KeyBounds, limit: number): Promise<KeyedRows<Row>>;
}

export interface KeyedRows<Row, Key = KeyValues> {
  readonly rows: readonly Row[];
  /** Key of each row, read when the row was fetched: a handler may change the row. */
  readonly keys: readonly Key[];
}

/**
 * Pages of a source that is ordered by columns: one query per page, no OFFSET. Only a page without rows is the end. Something
 * between the source and its table (an extension of the client, a proxy, a view) may cut a page short.
 *
 * The cursor is the key's value, or the array of its values when the key has several columns.
 *
 * @throws InvalidCursorError for a cursor of another shape.
 * @throws InvalidEnumeratorError for a page that does not move forward (R8) or is out of order.
 */
export async function* keysetPages<Row>(
  query: KeysetQuery<Row>,
  bounds: Bounds,
): AsyncGenerator<Page<Row>, void, void> {
  const until = keyValues(bounds.until, query);
  for (let after = keyValues(bounds.after, query); ; ) {
    const page = await query.fetch({ after, until }, query.pageSize);
    const last = page.keys.at(-1);
    if (!last) return;
    checkForward(query.name, after, page.keys);
    if (query.orders) checkOrder(page.keys, { name: query.name, after, orders: query.orders });
    yield keyedPage(page, cursorOf);
    if (until !== null && isSameJson(last, until)) return;
    after = last;
  }
}

/** A page of rows, each with the cursor made from its key. */
export function keyedPage<Row, Key, C extends Cursor>(
  { rows, keys }: KeyedRows<Row, Key>,
  cursor: (key: Key) => C,
): Page<Row, C> {
  return { items: rows, cursorAt: (index) => cursor(keys[index] as Key) };
}

/**
 * Checks that no two neighbouring rows have the same key, and that no row has the key it should come after (R8).
 *
 * @throws InvalidEnumeratorError
 */
export function checkForward<Key>(name: string, after: Key | null, keys: readonly Key[]): void {
  if (after !== null && keys.length > 0 && (isSameJson(after, keys[0]) || isSameJson(after, keys.at(-1)))) {
    throw new InvalidEnumeratorError(
      `${name}: a page after ${describe(after)} came back with that same key, so iteration would never end. ` +
        'The key must be unique, and the query must return only rows after it',
    );
  }
  const twin = keys.findIndex((key, index) => index > 0 && isSameJson(keys[index - 1], key));
  if (twin < 0) return;
  throw new InvalidEnumeratorError(
    `${name}: two rows have the same key ${describe(keys[twin])}; at the end of a page one of them would be lost. ` +
      'The key must be unique: add a column that makes it so',
  );
}

export function cursorOf(key: KeyValues): Cursor {
  return key.length === 1 ? (key[0] as Json) : key;
}

/** @throws InvalidCursorError for a cursor of another shape. */
export function keyValues(
  cursor: Cursor,
  { name, columns }: Pick<KeysetQuery<unknown>, 'name' | 'columns'>,
): KeyValues | null {
  if (cursor === null) return null;
  const key = Array.isArray(cursor) ? (cursor as KeyValues) : [cursor];
  if (key.length === columns) return key;
  throw new InvalidCursorError(
    `${name}: the cursor ${describe(cursor)} has ${key.length} value(s) for a key of ${columns} column(s). ` +
      'Was the key changed? Then raise the processor\'s "version"',
    'cursor',
  );
}
