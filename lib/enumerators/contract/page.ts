import { type Cursor, isSameJson } from '../../cursor.js';

/** Consecutive items. A cursor is made only on request, so an item costs no cursor. */
export interface Page<Item, C extends Cursor = Cursor> {
  /** Empty when the source has only advanced to `cursorAt(-1)`. */
  readonly items: readonly Item[];
  cursorAt(index: number): C;
  /** Its cursors are objects that user code may still change: each is read when it is needed, and not kept. */
  readonly mutableCursors?: boolean;
  /** Its cursors are positions in a list. When the list changes, a cursor names whatever item is there then. */
  readonly positional?: boolean;
  /** Whether a cursor names the item at `index`. By default: whether it equals the item's cursor. */
  isAt?(index: number, cursor: C): boolean;
  /** Acknowledges a finished item. Called before the next item starts. */
  ack?(index: number): Promise<void>;
}

/** Instead of a page: the run must end here, and the job resumes in `retryInMs` milliseconds. */
export interface Throttled {
  readonly retryInMs: number;
}

/** What a reader returns: a page, a pause, or undefined at the end. */
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
    mutableCursors: page.mutableCursors,
    positional: page.positional,
    isAt: (index, cursor) => isAt(page, start + index, cursor),
    ...(page.ack && { ack: async (index: number) => page.ack?.(start + index) }),
  };
}
