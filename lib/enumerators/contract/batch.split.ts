import { isSameJson } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Enumerator } from './enumerator.js';
import type { ItemRange } from './item.range.js';

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
