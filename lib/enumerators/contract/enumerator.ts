import type { Cursor } from '../../cursor.js';

/** What every source's options carry: where to start. */
export interface At<C extends Cursor = Cursor> {
  /** The last finished item's cursor; `null` starts at the beginning. */
  cursor: C | null;
}

/** A sequence of `[item, cursor]` that can be resumed after any of its cursors. */
export interface Enumerator<Item, C extends Cursor = Cursor> extends AsyncIterable<readonly [Item, C]> {
  /** How many items the whole job has, not only what is left; undefined = unknown. Asked once in a job's life. */
  size?(): Promise<number | undefined> | number | undefined;
  /**
   * How much of the whole lies up to and including this cursor, 0 to 1; undefined = unknown. For sources that know it
   * without counting, such as a CSV by its bytes. `percent` and `etaMs` are computed from it rather than from `size`.
   */
  fraction?(cursor: C): number | undefined;
  /** Both halves of a batch, each with its cursor; undefined when it is one record. Only batches have this method. */
  halve?(
    item: Item,
    before: C | null,
    cursor: C,
  ): Promise<readonly [readonly [Item, C], readonly [Item, C]] | undefined>;
}

/** What `@BuildEnumerator` may return: any iterable of `[item, cursor]`, or an {@link Enumerator} of the builder. */
export type EnumeratorLike<Item, C extends Cursor = Cursor> =
  | Enumerator<Item, C>
  | AsyncIterable<readonly [Item, C]>
  | Iterable<readonly [Item, C]>;

/** What `@BuildEnumerator` returns. `null` means that there is nothing to do. */
export type Built<Item, C extends Cursor = Cursor> =
  | EnumeratorLike<Item, C>
  | null
  | Promise<EnumeratorLike<Item, C> | null>;
