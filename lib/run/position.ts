import type { Cursor } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';

/** How far a job has come. */
export interface Progress {
  /** Of the last finished item. */
  readonly cursor: Cursor;
  /** Items finished in the job's life. */
  readonly processed: number;
  /** Dead letters written in the job's life. */
  readonly skipped: number;
  /** Items of the source up to the cursor. */
  readonly passed: number;
}

/** Where a run is. A cursor is made when it is asked for, not for each item. */
export class Position implements Progress {
  processed: number;
  skipped: number;
  passed: number;
  /** Items that this run has finished or skipped. */
  finished = 0;

  #cursor: Cursor;
  #page: Page<unknown> | undefined;
  #index = -1;
  #movedOn = false;

  constructor({ cursor, processed, skipped, passed }: Progress) {
    this.#cursor = cursor;
    this.processed = processed;
    this.skipped = skipped;
    this.passed = passed;
  }

  /** Of the last finished item. */
  get cursor(): Cursor {
    return this.#page ? this.#page.cursorAt(this.#index) : this.#cursor;
  }

  /** Whether this run has come any further. */
  get hasMoved(): boolean {
    return this.finished > 0 || this.#movedOn;
  }

  /** The last `count` items of `page` up to `index` are finished. */
  advance(page: Page<unknown>, index: number, count = 1): void {
    this.processed += count;
    this.#pass(page, index, count);
  }

  /** The item at `index` of `page` was skipped, whole or in parts. */
  skip(page: Page<unknown>, index: number): void {
    this.#pass(page, index, 1);
  }

  /** The source has moved on to the cursor of a page without items, or a part of a batch is over. */
  passTo(cursor: Cursor): void {
    this.#leave(cursor);
    this.#movedOn = true;
  }

  /** Starts over elsewhere, nothing of this run being finished yet. */
  moveTo({ cursor, processed, skipped, passed }: Progress): void {
    this.#leave(cursor);
    this.#movedOn = false;
    this.processed = processed;
    this.skipped = skipped;
    this.passed = passed;
  }

  #pass(page: Page<unknown>, index: number, count: number): void {
    if (index < page.items.length - 1 || page.aliased) {
      this.#page = page;
      this.#index = index;
    } else {
      this.#leave(page.cursorAt(index)); // the next page is already being read: no third one stays in memory
    }
    this.passed += count;
    this.finished += count;
  }

  #leave(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#page = undefined;
  }
}
