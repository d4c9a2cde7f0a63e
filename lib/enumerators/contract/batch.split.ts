import { type Cursor, isSameJson } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Enumerator } from './enumerator.js';
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

/**
 * Both halves of a batch; undefined when it is one record.
 *
 * @throws InvalidEnumeratorError for a half that is not smaller: halving would never end.
 */
export async function halvesOf(
  halve: Enumerator<unknown>['halve'],
  { item, before, cursor }: ItemRange,
): Promise<readonly [ItemRange, ItemRange] | undefined> {
  const halves = await halve?.(item, before, cursor);
  if (!halves) return undefined;
  const [[first, middle], [second, end]] = halves;
  if (isSameJson(middle, cursor) || isSameJson(middle, before)) {
    throw new InvalidEnumeratorError(
      `halve returned a half that ends at ${describe(middle)}. It must end between ${describe(before)} and ` +
        `${describe(cursor)}. For one record, halve must return undefined`,
    );
  }
  return [
    { item: first, before, cursor: middle },
    { item: second, before: middle, cursor: end },
  ];
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
