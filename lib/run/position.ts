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

  constructor(cursor: Cursor, processed: number) {
    this.#cursor = cursor;
    this.processed = processed;
  }

  /** Of the last finished item. */
  get cursor(): Cursor {
    return this.#page ? this.#page.cursorAt(this.#index) : this.#cursor;
  }

  /** The item at `index` of `page` is finished. */
  advance(page: Page<unknown>, index: number): void {
    this.#page = page;
    this.#index = index;
    this.processed++;
    this.finished++;
  }

  /** Starts over at another cursor, nothing of this run being finished yet. */
  moveTo(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#page = undefined;
  }
}
