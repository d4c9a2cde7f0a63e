import type { Cursor } from '../../cursor.js';
import type { KeyValues, Part } from '../contract/index.js';
import { PAGE_OF_A_MILLISECOND } from './exact.keys.js';
import type { Reading } from './reading.js';
import { cursorValues } from './value.js';
import { comparable, rowsAfter, upTo } from './where.js';

/** How many rows lie up to and including a cursor's. */
export async function countUpTo(reading: Reading, cursor: Cursor): Promise<number> {
  if (cursor === null) return 0;
  const { query } = reading;
  const { key, exact } = await reading.checked();
  const reached = cursorValues(cursor);
  let rows = await query.count([upTo(comparable(key, reached), reached)]);
  for (let after: KeyValues | undefined = reached; exact && after; ) {
    const others = await exact.sameMillisecond(after, null, PAGE_OF_A_MILLISECOND);
    if (others.length > 0) rows -= await query.count([exact.where(others.map(({ identity }) => identity))]);
    after = others.length === PAGE_OF_A_MILLISECOND ? others.at(-1)?.key : undefined;
  }
  return rows;
}

/** How many rows one part has, if they can be counted in time. A part that ends within a millisecond is always counted. */
export async function sizeOfPart(
  reading: Reading,
  { after, until }: Part,
  options?: { readonly exact: boolean },
): Promise<number | undefined> {
  const { key, exact } = await reading.checked();
  if (exact) {
    const rows = until === null ? await reading.query.size(options) : await countUpTo(reading, until);
    return rows === undefined ? undefined : Math.max(0, rows - (await countUpTo(reading, after)));
  }
  return reading.query.size(options, [
    ...(after === null ? [] : [rowsAfter(key, cursorValues(after))]),
    ...(until === null ? [] : [upTo(key, cursorValues(until))]),
  ]);
}
