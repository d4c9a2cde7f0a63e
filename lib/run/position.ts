import type { Cursor } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';

/** Where a run is. A cursor is made when it is asked for, not for each item. */
export class Position {
  /** Items finished in the job's life. */
  processed: number;
  /** Items finished in this run. */
  finished = 0;

  #cursor: Cursor;
  #page: Page<unknown> | undefined;
  #index = -1;
  #passed = false;

  constructor(cursor: Cursor, processed: number) {
    this.#cursor = cursor;
    this.processed = processed;
  }

  /** Of the last finished item. */
  get cursor(): Cursor {
    return this.#page ? this.#page.cursorAt(this.#index) : this.#cursor;
  }

  /** Whether this run has come any further. */
  get hasMoved(): boolean {
    return this.finished > 0 || this.#passed;
  }

  /** The item at `index` of `page` is finished. */
  advance(page: Page<unknown>, index: number): void {
    if (index < page.items.length - 1 || page.aliased) {
      this.#page = page;
      this.#index = index;
    } else {
      this.#leave(page.cursorAt(index)); // the next page is already being read: no third one stays in memory
    }
    this.processed++;
    this.finished++;
  }

  /** The source has moved on to the cursor of a page without items. */
  passTo(page: Page<unknown>): void {
    this.#leave(page.cursorAt(-1));
    this.#passed = true;
  }

  /** Starts over at another cursor, nothing of this run being finished yet. */
  moveTo(cursor: Cursor): void {
    this.#leave(cursor);
    this.#passed = false;
  }

  #leave(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#page = undefined;
  }
}
