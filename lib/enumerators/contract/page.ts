import { type Cursor, isSameJson } from '../../cursor.js';

/** A stretch of consecutive items. A cursor is made only when it is asked for, so an item costs no cursor. */
export interface Page<Item, C extends Cursor = Cursor> {
  /** None when the source has only moved on, to `cursorAt(-1)`. */
  readonly items: readonly Item[];
  cursorAt(index: number): C;
  /** Its cursors are objects of the user's, who may go on to change them: each is looked at when it is needed, and not kept. */
  readonly aliased?: boolean;
  /** Its cursors are places in a list, which name whatever item stands there when the list has changed. */
  readonly positional?: boolean;
  /** Whether a cursor names the item at `index`; by default when it is the same as the item's. */
  isAt?(index: number, cursor: C): boolean;
  /** Told of each finished item before the next one begins, by whoever handles them. */
  finished?(index: number): Promise<void>;
}

/** Instead of a page: the run is to end here, and the job to go on in so many milliseconds. */
export interface Throttled {
  readonly retryInMs: number;
}

/** What a reader gives: a page, a pause, or the end. */
export type Next<Item, C extends Cursor = Cursor> = Page<Item, C> | Throttled | undefined;

export function isThrottled(next: object): next is Throttled {
  return 'retryInMs' in next;
}

/** Whether a cursor, perhaps of an earlier run, names the item at `index`. */
export function isAt<C extends Cursor>(page: Page<unknown, C>, index: number, cursor: C): boolean {
  return page.isAt?.(index, cursor) ?? isSameJson(page.cursorAt(index), cursor);
}

/** The items of a page from `start` to before `end`. */
export function pageSlice<Item, C extends Cursor>(page: Page<Item, C>, start: number, end?: number): Page<Item, C> {
  return {
    items: page.items.slice(start, end),
    cursorAt: (index) => page.cursorAt(start + index),
    aliased: page.aliased,
    positional: page.positional,
    isAt: (index, cursor) => isAt(page, start + index, cursor),
    ...(page.finished && { finished: async (index: number) => page.finished?.(start + index) }),
  };
}
