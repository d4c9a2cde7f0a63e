import type { Cursor } from '../../cursor.js';
import { check, count, type Rules, required } from '../../rules.js';
import { isThrottled } from './page.js';
import type { Part, Source } from './source.js';

/** How a source is cut. */
export interface PartitionOptions {
  /** How many parts, from 1. There are fewer where there are fewer items. */
  count: number;
}

/**
 * @param others Rules of the options besides `count`.
 * @throws InvalidOptionsError for a count that is not a whole number from 1, and for an unknown option.
 */
export function checkPartitions(options: PartitionOptions, name: string, others: Rules = {}): void {
  check(name, options, { count: required(count), ...others });
}

/** The parts between cursors, in order. The first has no start and the last no end, so they cover every item. */
export function partsBetween<C extends Cursor>(cuts: readonly C[]): Part<C>[] {
  return [null, ...cuts].map((after, index) => ({ after, until: cuts[index] ?? null }));
}

/** How many items each part has, as even as possible. At least one part, and none without an item. */
export function evenSizes(items: number, parts: number): readonly number[] {
  const filled = Math.max(1, Math.min(items, parts));
  const endOf = (part: number) => Math.floor((part * items) / filled);
  return Array.from({ length: filled }, (_, part) => endOf(part + 1) - endOf(part));
}

/**
 * Cuts a source of batches: the cursor of a batch is the cut after it. The source reads only these cursors, and each
 * statement begins at the cut before.
 *
 * @param sizes The items of each part.
 * @param most The most items that one batch can have.
 */
export async function cutsOf<C extends Cursor>(
  batches: Source<unknown, C>,
  sizes: readonly number[],
  most = Number.POSITIVE_INFINITY,
): Promise<readonly C[]> {
  const cuts: C[] = [];
  let missing = 0;
  const reader = batches.read({ after: null, until: null, batchSize: () => Math.min(missing, most) });
  try {
    for (const size of sizes.slice(0, -1)) {
      let cut: C | undefined;
      for (missing = size; missing > 0; missing -= Math.min(missing, most)) {
        const page = await reader.next();
        if (!page || isThrottled(page)) return cuts;
        cut = page.cursorAt(0);
      }
      if (cut !== undefined) cuts.push(cut);
    }
  } finally {
    await reader.close();
  }
  return cuts;
}
