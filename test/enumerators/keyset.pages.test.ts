import { describe, expect, it } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import {
  type ColumnOrder,
  compareNumbers,
  type KeysetQuery,
  type KeyValues,
  keysetPages,
} from '../../lib/enumerators/contract/index.js';
import { InvalidEnumeratorError } from '../../lib/iteration.errors.js';

const up: ColumnOrder = { descending: false, compare: compareNumbers };
const down: ColumnOrder = { descending: true, compare: compareNumbers };
const unknown: ColumnOrder = { descending: false };

/** A database of these keys that returns at most `most` rows per page, whatever the limit. */
function databaseOf(keys: readonly KeyValues[], { most = 1_000, orders }: { most?: number; orders?: ColumnOrder[] }) {
  const query: KeysetQuery<KeyValues> = {
    name: 'rows by key',
    columns: 1,
    pageSize: 5,
    orders,
    fetch: async ({ after }, limit) => {
      const start = after === null ? 0 : keys.indexOf(after) + 1;
      const rows = keys.slice(start, start + Math.min(limit, most));
      return { rows, keys: rows };
    },
  };
  return query;
}

async function read(query: KeysetQuery<KeyValues>, until: Json = null): Promise<readonly KeyValues[]> {
  const rows: KeyValues[] = [];
  for await (const page of keysetPages(query, { after: null, until })) rows.push(...page.items);
  return rows;
}

describe('pages of a keyset', () => {
  const seven = [1, 2, 3, 4, 5, 6, 7].map((key) => [key]);

  it('R1: keysetPages does not end at a page that is shorter than its limit', async () => {
    expect(await read(databaseOf(seven, { most: 3 }))).toEqual(seven);
  });

  it('keysetPages ends at `until` without another query', async () => {
    const query = databaseOf(seven, {});
    const asked: unknown[] = [];
    const fetch: typeof query.fetch = (bounds, limit) => {
      asked.push(bounds);
      return query.fetch(bounds, limit);
    };
    expect(await read({ ...query, fetch }, 5)).toEqual(seven.slice(0, 5));
    expect(asked).toEqual([{ after: null, until: [5] }]);
  });

  it.each<[string, KeyValues[], ColumnOrder[]]>([
    ['numbers', [[1], [3], [2]], [up]],
    ['numbers, descending', [[3], [1], [2]], [down]],
    ['bigints as text', [['9007199254740993'], ['9007199254740992']], [up]],
    ['bigints of several lengths', [['10'], ['9']], [up]],
    ['decimals', [['-0.10'], ['-0.2']], [up]],
    [
      'the second column',
      [
        ['a', 2],
        ['a', 1],
      ],
      [unknown, up],
    ],
    ['a NULL after values that NULLs come before', [[1], [null]], [{ ...up, nulls: 'first' }]],
    ['a value after NULLs that come last', [[null], [1]], [{ ...up, nulls: 'last' }]],
    ['two pages', [[1], [2], [3], [4], [5], [0]], [up]],
  ])('R8: keysetPages refuses rows that are out of order by %s', async (_, keys, orders) => {
    const reading = read(databaseOf(keys, { orders }));
    await expect(reading).rejects.toThrow(InvalidEnumeratorError);
    await expect(reading).rejects.toThrow('rows by key: the rows are out of order');
  });

  it.each<[string, KeyValues[], ColumnOrder[]]>([
    ['numbers', [[-1], [0], [2.5], [10]], [up]],
    ['bigints as text', [['-10'], ['9'], ['10'], ['9007199254740993']], [up]],
    [
      'decimals that are equal in the database',
      [
        ['1.0', 1],
        ['1.00', 2],
        ['1', 3],
      ],
      [up, up],
    ],
    ['NULLs first', [[null], [1]], [{ ...up, nulls: 'first' }]],
    ['values that only the database can order', [['b'], ['A'], ['a']], [unknown]],
    ['values that are not finite numbers', [['Infinity'], [1]], [up]],
    [
      'ties of a collation, with the next column in any order',
      [
        ['a', 2],
        ['A', 1],
      ],
      [unknown, up],
    ],
  ])('keysetPages follows %s', async (_, keys, orders) => {
    expect(await read(databaseOf(keys, { orders }))).toEqual(keys);
  });
});
