import type { Cursor } from '../../cursor.js';
import type { Page } from './page.js';

/** An item, or a part of a batch, with the cursors around it. */
export interface ItemRange {
  readonly item: unknown;
  /** Cursor of what was finished before. */
  readonly before: Cursor;
  readonly cursor: Cursor;
  /** A batch that cannot be halved further. */
  readonly isRecord?: boolean;
}

/** Where an item is in a page. */
export interface ItemPosition {
  readonly page: Page<unknown>;
  readonly index: number;
}

/**
 * How handling an item ended. `handled`: it is finished. `passed`: its handler threw, and the cursor is after the item, which
 * was skipped or handled in parts. `left`: the run must end, and the next run starts with what is left of the item.
 */
export type ItemOutcome = 'handled' | 'passed' | 'left';
