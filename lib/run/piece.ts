import type { Cursor } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';

/** An item, or a part of a batch. */
export interface Piece {
  readonly item: unknown;
  /** Of what was finished before it. */
  readonly before: Cursor;
  readonly cursor: Cursor;
}

/** Where an item stands. */
export interface Place {
  readonly page: Page<unknown>;
  readonly index: number;
  /** Whether it may be left unfinished when the run has to end. */
  readonly mayLeave: () => boolean;
}

/**
 * What became of an item. `handled`: it is finished now. `passed`: its handler threw, and the job stands behind it: it
 * was skipped, or handled in parts. `left`: the run has to end, and the next begins with what is left of it.
 */
export type Outcome = 'handled' | 'passed' | 'left';
