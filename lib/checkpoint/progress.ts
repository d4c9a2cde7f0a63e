import { type Cursor, isSameJson } from '../cursor.js';
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

/** Where a run is. A cursor is made when it is asked for, not for each item; what can be told from `finished` is not counted apart. */
export class Position implements Progress {
  skipped: number;

  #finished = 0;
  /** Of {@link finished}, those that count as skipped. */
  #unprocessed = 0;
  /** What `processed` and `passed` were with none finished. */
  #processedBefore: number;
  #passedBefore: number;
  #cursor: Cursor;
  #page: Page<unknown> | undefined;
  #index = -1;
  #movedOn = false;

  constructor({ cursor, processed, skipped, passed }: Progress) {
    this.#cursor = cursor;
    this.#processedBefore = processed;
    this.skipped = skipped;
    this.#passedBefore = passed;
  }

  /** Of the last finished item. */
  get cursor(): Cursor {
    return this.#page ? this.#page.cursorAt(this.#index) : this.#cursor;
  }

  /** Items that this run has finished or skipped. */
  get finished(): number {
    return this.#finished;
  }

  get processed(): number {
    return this.#processedBefore + this.#finished - this.#unprocessed;
  }

  get passed(): number {
    return this.#passedBefore + this.#finished;
  }

  /** Whether this run has come any further. */
  get hasMoved(): boolean {
    return this.#finished > 0 || this.#movedOn;
  }

  /** The last `count` items of `page` up to `index` are finished. */
  advance(page: Page<unknown>, index: number, count: number): void {
    this.#finished += count;
    if (index < page.items.length - 1 || page.aliased) {
      this.#page = page;
      this.#index = index;
    } else {
      this.#leave(page.cursorAt(index)); // the next page is already being read: no third one stays in memory
    }
  }

  /** The item at `index` of `page` was skipped, whole, or so that some of its parts were handled. */
  skip(page: Page<unknown>, index: number, partly = false): void {
    if (!partly) this.#unprocessed++;
    this.advance(page, index, 1);
  }

  /** The source has moved on to the cursor of a page without items, or a part of a batch is over. */
  passTo(cursor: Cursor): void {
    this.#movedOn ||= !isSameJson(cursor, this.cursor); // what is behind a cursor may be nothing, up to that same cursor
    this.#leave(cursor);
  }

  /** Starts over elsewhere, nothing of this run being finished yet. */
  moveTo({ cursor, processed, skipped, passed }: Progress): void {
    this.#leave(cursor);
    this.#movedOn = false;
    this.skipped = skipped;
    this.#processedBefore = processed - this.#finished + this.#unprocessed;
    this.#passedBefore = passed - this.#finished;
  }

  /** Gives up what has been finished since then. */
  goBackTo(saved: Progress): void {
    this.#finished = Math.max(0, this.#finished - (this.passed - saved.passed));
    this.moveTo(saved);
  }

  #leave(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#page = undefined;
  }
}
