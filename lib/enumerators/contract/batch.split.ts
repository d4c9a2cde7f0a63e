import { type Cursor, isSameJson } from '../../cursor.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Enumerator } from './enumerator.js';
import type { Page } from './page.js';

/** An item, or a part of a batch. */
export interface Piece {
  readonly item: unknown;
  /** Of what was finished before it. */
  readonly before: Cursor;
  readonly cursor: Cursor;
  /** A batch that cannot be halved any more. */
  readonly isRecord?: boolean;
}

/**
 * A piece in two; undefined when it is one record.
 *
 * @throws InvalidEnumeratorError for halves that are no smaller: they would be halved without end.
 */
export async function halvesOf(
  halve: Enumerator<unknown>['halve'],
  { item, before, cursor }: Piece,
): Promise<readonly [Piece, Piece] | undefined> {
  const halves = await halve?.(item, before, cursor);
  if (!halves) return undefined;
  const [[first, middle], [second, end]] = halves;
  if (isSameJson(middle, cursor) || isSameJson(middle, before)) {
    throw new InvalidEnumeratorError(
      `halve gave a half up to ${JSON.stringify(middle)} of what stands between ${JSON.stringify(before)} and ` +
        `${JSON.stringify(cursor)}: it must lie between them. For one record it gives undefined`,
    );
  }
  return [
    { item: first, before, cursor: middle },
    { item: second, before: middle, cursor: end },
  ];
}

/** Where an item stands. */
export interface Place {
  readonly page: Page<unknown>;
  readonly index: number;
}

/**
 * What became of an item. `handled`: it is finished now. `passed`: its handler threw, and the job stands behind it: it
 * was skipped, or handled in parts. `left`: the run has to end, and the next begins with what is left of it.
 */
export type Outcome = 'handled' | 'passed' | 'left';
