import { describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

const build = new EnumeratorBuilder();
const letters = ['a', 'b', 'c', 'd', 'e'];
const csv = Buffer.from('n\n1\n2\n3\n4\n5\n');

describe('take', () => {
  for (const count of [0, 1, 3, 5]) {
    itKeepsTheEnumeratorContract(`the first ${count} of five`, {
      size: 'exact',
      isEmpty: count === 0,
      build: (at) => build.take(build.array(letters, at), count),
      expected: letters.slice(0, count),
    });
  }

  itKeepsTheEnumeratorContract('more items than the source has', {
    size: 'exact',
    build: (at) => build.take(build.array(letters, at), 99),
    expected: letters,
  });

  itKeepsTheEnumeratorContract('rows of a CSV', {
    size: 'exact',
    build: ({ cursor }) => build.take(build.csv.rows(csv, { cursor }), 3),
    identify: ({ n }: Record<string, string>) => n,
    expected: ['1', '2', '3'],
  });

  itKeepsTheEnumeratorContract('a take of a throttled take', {
    size: 'exact',
    build: (at) =>
      build.take(build.throttle(build.take(build.times(9, at), 4), { when: () => false, retryInMs: 0 }), 3),
    expected: [0, 1, 2],
  });

  it('take reads no more pages of its source than it needs', async () => {
    const asked: unknown[] = [];
    const rows = build.keyset({
      cursor: null,
      pageSize: 2,
      key: (id: number) => id,
      fetch: async (after, limit) => {
        asked.push(after);
        return Array.from({ length: limit }, (_, index) => (after ?? 0) + index + 1);
      },
    });
    expect(await items(build.take(rows, 3))).toEqual([1, 2, 3]);
    expect(asked).toEqual([null, 2]);
  });

  it('the fraction of take is that of its count, or of its source if the source ends first', async () => {
    for (const [count, fractions] of [
      [2, [1 / 2, 1]],
      [4, [0.4, 0.6, 0.8, 1]],
      [50, [0.4, 0.6, 0.8, 1]],
    ] as const) {
      const rows = build.take(build.csv.rows(Buffer.from('n\n1\n2\n3\n4\n'), { cursor: null }), count);
      const cursors: Cursor[] = [];
      for await (const [, cursor] of rows) cursors.push(cursor);
      expect(cursors.map((cursor) => rows.fraction?.(cursor))).toEqual(fractions);
    }
    expect(build.take(build.array(letters, { cursor: null }), 3).fraction).toBeUndefined();
  });

  it('take has no size if its source has none', () => {
    expect(build.take(new Map([['a', 1]]), 3).size).toBeUndefined();
  });

  it('take refuses to resume outside a job if its source cannot count up to the cursor', async () => {
    const rows = build.keyset({ cursor: 4, key: (id: number) => id, fetch: async () => [5] });
    await expect(items(build.take(rows, 3))).rejects.toThrow(InvalidEnumeratorError);
    await expect(items(build.take(rows, 3))).rejects.toThrow('how many items lie up to the cursor 4');
  });

  it('take refuses an invalid count and a source that is not iterable', () => {
    for (const count of [-1, 1.5, Number.NaN, '3' as never]) {
      expect(() => build.take([], count)).toThrow(InvalidOptionsError);
    }
    expect(() => build.take(undefined as never, 3)).toThrow(InvalidEnumeratorError);
  });
});

async function items<Item>(enumerator: Enumerator<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const [item] of enumerator) found.push(item);
  return found;
}
