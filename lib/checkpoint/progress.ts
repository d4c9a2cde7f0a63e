import { type Cursor, isSameJson } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';

/** How far a job has come. */
export class Progress {
  constructor(
    /** Cursor of the last finished item. */
    readonly cursor: Cursor,
    /** Items finished in the job's life. */
    readonly processed: number,
    /** Dead letters written in the job's life. */
    readonly skipped: number,
    /** Items of the source up to the cursor: a batch counts as one, however many of its records were skipped. */
    readonly itemsSeen: number,
  ) {}

  /** As a checkpoint holds it. */
  static of({ cursor, processed, skipped, passed }: SavedProgress): Progress {
    return new Progress(cursor, processed, skipped, passed);
  }

  get saved(): SavedProgress {
    return { cursor: this.cursor, processed: this.processed, skipped: this.skipped, passed: this.itemsSeen };
  }

  /** After `count` more finished items. */
  advance(cursor: Cursor, count = 1): Progress {
    return new Progress(cursor, this.processed + count, this.skipped, this.itemsSeen + count);
  }

  /** At a cursor between items: after a page without any, or a part of a batch. */
  moveTo(cursor: Cursor): Progress {
    return new Progress(cursor, this.processed, this.skipped, this.itemsSeen);
  }

  /** From the beginning of the source. Dead letters stay written. */
  restart(): Progress {
    return new Progress(null, 0, this.skipped, 0);
  }
}

/** The names under which checkpoints keep it; data of earlier releases has them too. */
export interface SavedProgress {
  readonly cursor: Cursor;
  readonly processed: number;
  readonly skipped: number;
  readonly passed: number;
}

/**
 * The progress of one run. An item costs one addition: its cursor, and the {@link Progress}, are made when they are asked
 * for.
 */
export class ProgressTracker {
  /** Where the items that are counted below began. */
  #base: Progress;
  #finished = 0;
  /** `finished` at the base. */
  #finishedAtBase = 0;
  /** Items since the base that count as skipped. */
  #unprocessed = 0;
  /** Cursor of the last finished item, unless that is in the page below. */
  #cursor: Cursor;
  #page: Page<unknown> | undefined;
  #index = -1;
  #movedWithoutItem = false;

  constructor(progress: Progress) {
    this.#base = progress;
    this.#cursor = progress.cursor;
  }

  get current(): Progress {
    const { processed, skipped } = this.#base;
    return new Progress(this.cursor, processed + this.#sinceBase - this.#unprocessed, skipped, this.itemsSeen);
  }

  /** Cursor of the last finished item. */
  get cursor(): Cursor {
    return this.#page ? this.#page.cursorAt(this.#index) : this.#cursor;
  }

  get itemsSeen(): number {
    return this.#base.itemsSeen + this.#sinceBase;
  }

  /** Items that this run has finished or skipped. */
  get finished(): number {
    return this.#finished;
  }

  /** Whether this run has come any further. */
  get hasMoved(): boolean {
    return this.#finished > 0 || this.#movedWithoutItem;
  }

  /** The last `count` items of `page` up to `index` are finished. */
  advance(page: Page<unknown>, index: number, count: number): void {
    this.#finished += count;
    if (index < page.items.length - 1 || page.mutableCursors) {
      this.#page = page;
      this.#index = index;
    } else {
      this.#leavePage(page.cursorAt(index)); // the next page is already being read: no third one stays in memory
    }
  }

  /** The item at `index` of `page` was skipped, whole or in parts. */
  skip(page: Page<unknown>, index: number, { partly = false } = {}): void {
    if (!partly) this.#unprocessed++;
    this.advance(page, index, 1);
  }

  /** A dead letter is written for an item. */
  countSkipped(): void {
    const { cursor, processed, skipped, itemsSeen } = this.#base;
    this.#base = new Progress(cursor, processed, skipped + 1, itemsSeen);
  }

  /** The source has moved to the cursor of a page without items, or a part of a batch is finished. */
  moveTo(cursor: Cursor): void {
    // What comes after a cursor may be nothing, up to that same cursor.
    this.#movedWithoutItem ||= !isSameJson(cursor, this.cursor);
    this.#leavePage(cursor);
  }

  /** Starts over elsewhere; nothing of this run is finished yet. */
  startAt(progress: Progress): void {
    this.#movedWithoutItem = false;
    this.#base = progress;
    this.#finishedAtBase = this.#finished;
    this.#unprocessed = 0;
    this.#leavePage(progress.cursor);
  }

  /** Gives up what was finished since then. */
  goBackTo(saved: Progress): void {
    this.#finished = Math.max(0, this.#finished - (this.itemsSeen - saved.itemsSeen));
    this.startAt(saved);
  }

  get #sinceBase(): number {
    return this.#finished - this.#finishedAtBase;
  }

  #leavePage(cursor: Cursor): void {
    this.#cursor = cursor;
    this.#page = undefined;
  }
}
