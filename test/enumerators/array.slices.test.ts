import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import { arrayEnumerator, slicesOf } from '../../lib/enumerators/array.enumerator.js';
import { takeEnumerator } from '../../lib/enumerators/take.enumerator.js';
import { InvalidCursorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { allOf, itCoversEveryItem, partsOf } from '../support/part-properties.js';

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const MIDDLE = { after: 1, until: 4 };

describe('slices of an array', () => {
  it('R27: slices differ in length by at most one, and their ends are open', () => {
    expect(slicesOf(letters, { count: 3 })).toEqual([
      { after: null, until: 1 },
      { after: 1, until: 3 },
      { after: 3, until: null },
    ]);
  });

  it.each([
    [1, letters, 1],
    [10, letters, 7],
    [3, [], 1],
    [3, ['a'], 1],
  ])('R27: %i slices of %j are %i, none of them empty', (count, items, parts) => {
    expect(slicesOf(items, { count })).toHaveLength(parts);
  });

  it.each([0, -1, 1.5, '2', undefined])('slices refuses the count %j', (count) => {
    expect(() => slicesOf(letters, { count: count as number })).toThrow(InvalidOptionsError);
  });

  it('slices refuses what is not an array', () => {
    expect(() => slicesOf('letters' as never, { count: 2 })).toThrow('slices("letters"): give it an array');
  });

  itKeepsTheEnumeratorContract('a slice of an array', {
    size: 'exact',
    build: (at) => arrayEnumerator(letters, { ...at, range: MIDDLE }),
    expected: ['c', 'd', 'e'],
  });

  itKeepsTheEnumeratorContract('the first of a slice', {
    size: 'exact',
    build: (at) => takeEnumerator(arrayEnumerator(letters, { ...at, range: MIDDLE }), 2),
    expected: ['c', 'd'],
  });

  it('R27: the size of an open slice is its own', async () => {
    const sizes = slicesOf(letters, { count: 3 }).map((range) =>
      arrayEnumerator(letters, { cursor: null, range }).size?.(),
    );
    expect(await Promise.all(sizes)).toEqual([2, 2, 3]);
  });

  it.each([0, 5])('R27: a slice refuses the cursor %i, which is outside of it', async (cursor) => {
    const enumerator = arrayEnumerator(letters, { cursor, range: MIDDLE });
    await expect(allOf(enumerator)).rejects.toThrow(InvalidCursorError);
    await expect(allOf(enumerator)).rejects.toThrow(
      `array: the cursor ${cursor} is outside of the range, which is after 1, up to 4. Was it saved for another part?`,
    );
  });

  it.each<Json>([
    null,
    1,
    'part',
    [],
    { after: 1 },
    { until: 1 },
    { after: 'a', until: null },
    { after: 1, until: 4, count: 3 },
  ])('R27: array refuses the range %j, which is not a part', (range) => {
    const build = () => arrayEnumerator(letters, { cursor: null, range });
    expect(build).toThrow(InvalidOptionsError);
    expect(build).toThrow(
      'is not a part of this source: { after, until }, each a cursor or null. Pass on what partitions',
    );
  });

  itCoversEveryItem('array', {
    cases: fc.record({ length: fc.integer({ min: 0, max: 40 }), count: fc.integer({ min: 1, max: 9 }) }),
    async begin({ length, count }) {
      const items = Array.from({ length }, (_, index) => index);
      const ranges = partsOf(slicesOf(items, { count }));
      return {
        ranges,
        fewest: Math.max(1, Math.min(length, count)),
        most: Math.ceil(length / count),
        build: (at) => arrayEnumerator(items, at),
        expected: () => items,
      };
    },
  });
});
