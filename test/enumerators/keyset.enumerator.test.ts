import { describe, expect, it } from 'vitest';
import type { Cursor, Json } from '../../lib/cursor.js';
import type { Enumerator } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import type { KeysetFetchOptions } from '../../lib/enumerators/keyset.enumerator.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { readerOf } from '../support/pages.js';

const build = new EnumeratorBuilder();

interface Row {
  readonly id: number;
  readonly at: string;
}

const rows: readonly Row[] = Array.from({ length: 23 }, (_, index) => ({
  id: (index * 7) % 23,
  at: `2026-01-01 00:00:00.0000${10 + Math.floor(index / 3)}`,
}));
const byId = [...rows].sort((one, other) => one.id - other.id);
const byAt = [...rows].sort((one, other) => (one.at === other.at ? one.id - other.id : one.at < other.at ? -1 : 1));

/** Stands for any database; records each fetch in `asked`. */
function byIdUpwards(asked: unknown[][] = []): Omit<KeysetFetchOptions<Row, number>, 'cursor'> {
  return {
    key: ({ id }) => id,
    fetch: async (after, limit) => {
      asked.push([after, limit]);
      return byId.filter(({ id }) => after === null || id > after).slice(0, limit);
    },
  };
}

describe('keyset', () => {
  for (const pageSize of [1, 2, 7, 1000]) {
    itKeepsTheEnumeratorContract(`a key of one column in pages of ${pageSize}`, {
      size: 'none',
      build: ({ cursor }) => build.keyset({ ...byIdUpwards(), cursor, pageSize }),
      identify: ({ id }: Row) => id,
      expected: byId.map(({ id }) => id),
    });
  }

  itKeepsTheEnumeratorContract('a key of two columns', {
    size: 'exact',
    build: ({ cursor }) =>
      build.keyset<Row, [string, number]>({
        cursor,
        pageSize: 4,
        key: ({ at, id }) => [at, id],
        fetch: async (after, limit) =>
          byAt
            .filter(({ at, id }) => after === null || at > after[0] || (at === after[0] && id > after[1]))
            .slice(0, limit),
        size: async () => rows.length,
      }),
    identify: ({ id }: Row) => id,
    expected: byAt.map(({ id }) => id),
  });

  itKeepsTheEnumeratorContract('a descending key', {
    size: 'none',
    build: ({ cursor }) =>
      build.keyset({
        cursor,
        pageSize: 4,
        key: ({ id }: Row) => id,
        fetch: async (after, limit) =>
          [...byId]
            .reverse()
            .filter(({ id }) => after === null || id < after)
            .slice(0, limit),
      }),
    identify: ({ id }: Row) => id,
    expected: byId.map(({ id }) => id).reverse(),
  });

  itKeepsTheEnumeratorContract('a key that is an object', {
    size: 'none',
    build: ({ cursor }) =>
      build.keyset({
        cursor,
        pageSize: 4,
        key: ({ id }: Row) => ({ id }),
        fetch: async (after, limit) => byId.filter(({ id }) => after === null || id > after.id).slice(0, limit),
      }),
    identify: ({ id }: Row) => id,
    expected: byId.map(({ id }) => id),
  });

  it('keyset fetches pages of 1,000 by default, and ends only at an empty page', async () => {
    const asked: unknown[][] = [];
    const limited: typeof byIdUpwards = () => {
      const { fetch, key } = byIdUpwards(asked);
      return { key, fetch: async (after, limit) => (await fetch(after, limit)).slice(0, 9) };
    };
    const seen = await items(build.keyset({ ...limited(), cursor: null }));
    expect(seen).toEqual(byId);
    expect(asked).toEqual([
      [null, 1000],
      [8, 1000],
      [17, 1000],
      [22, 1000],
    ]);
  });

  it('keyset reads one page ahead while the items of the current page are handled', async () => {
    const asked: unknown[][] = [];
    const reader = readerOf(build.keyset({ ...byIdUpwards(asked), cursor: null, pageSize: 5 }));
    expect((await reader.next())?.items).toHaveLength(5);
    expect(asked).toEqual([
      [null, 5],
      [4, 5],
    ]);
    await reader.close();
    expect(asked).toHaveLength(2);
  });

  it('keyset keeps the rows of a page even if fetch reuses its array for the next page', async () => {
    const page: Row[] = [];
    const { fetch, key } = byIdUpwards();
    const refill = async (after: number | null, limit: number) => {
      page.splice(0, page.length, ...(await fetch(after, limit)));
      return page;
    };
    const read: number[] = [];
    for await (const [{ id }] of build.keyset({ cursor: null, fetch: refill, key, pageSize: 5 })) {
      read.push(id);
      await new Promise(setImmediate); // the next page has arrived by now
    }
    expect(read).toEqual(byId.map(({ id }) => id));
  });

  it('the size of keyset is the result of the option size', async () => {
    expect(build.keyset({ ...byIdUpwards(), cursor: null }).size).toBeUndefined();
    expect(await build.keyset({ ...byIdUpwards(), cursor: null, size: async () => 23 }).size?.()).toBe(23);
  });

  it.each<[string, object, string]>([
    ['no cursor', { cursor: undefined }, 'keyset: no cursor is given'],
    ['no fetch', { fetch: undefined }, 'keyset: option "fetch" is undefined; it must be a function'],
    ['no key', { key: 'id' }, `keyset: option "key" is "id"; it must be a function`],
    ['a page size of 0', { pageSize: 0 }, 'keyset: option "pageSize" is 0; it must be a whole number, 1 or more'],
    [
      'an unknown option',
      { limit: 5 },
      'keyset: unknown option "limit". The options are: cursor, fetch, key, pageSize, size',
    ],
    ['a size that is not a function', { size: 5 }, 'keyset: option "size" is 5; it must be a function'],
  ])('keyset refuses %s at once', (_, options, message) => {
    const given = { ...byIdUpwards(), cursor: null, ...options } as KeysetFetchOptions<Row, number>;
    expect(() => build.keyset(given)).toThrow(InvalidOptionsError);
    expect(() => build.keyset(given)).toThrow(message);
  });

  const refused = async (options: object, error: new (...args: never[]) => Error, message: string) => {
    const given = { ...byIdUpwards(), cursor: null, pageSize: 4, ...options } as KeysetFetchOptions<Row, number>;
    const reading = items(build.keyset(given));
    await expect(reading).rejects.toThrow(error);
    await expect(reading).rejects.toThrow(message);
  };

  it('R8: keyset refuses a fetch that ignores `after`', () =>
    refused(
      { fetch: async (_: unknown, limit: number) => byId.slice(0, limit) },
      InvalidEnumeratorError,
      'a page after 3 came back with that same key, so iteration would never end',
    ));

  it('R8: keyset refuses a fetch that ignores `after`, even if no page ends at the cursor', () =>
    refused(
      { cursor: 9, fetch: async (_: unknown, limit: number) => byId.slice(0, limit) },
      InvalidEnumeratorError,
      'the key [1] comes after [0]',
    ));

  it('R8: keyset refuses a fetch that returns the row of `after` again', () =>
    refused(
      {
        fetch: async (after: number | null, limit: number) =>
          byId.filter(({ id }) => id >= (after ?? 0)).slice(0, limit),
      },
      InvalidEnumeratorError,
      'a page after 3 came back with that same key',
    ));

  it('R8: keyset refuses keys that repeat after several pages', () =>
    refused(
      {
        pageSize: 1,
        key: (key: string) => key,
        fetch: async (after: string | null) => [{ a: 'b', b: 'c', c: 'a' }[after ?? ''] ?? 'a'],
      },
      InvalidEnumeratorError,
      'came again, so iteration would never end',
    ));

  it('R8: keyset refuses rows that are out of order', () =>
    refused(
      { fetch: async () => [{ id: 1 }, { id: 5 }, { id: 3 }] },
      InvalidEnumeratorError,
      'the key [3] comes after [5]',
    ));

  it.each([
    [
      'numbers in the second part of the key',
      [
        ['a', 1],
        ['a', 3],
        ['a', 2],
      ],
    ],
    [
      'numbers in the second part, across values of the first',
      [
        ['a', 2],
        ['a', 3],
        ['b', 7],
        ['b', 6],
      ],
    ],
    ['dates', ['2026-01-01', '2026-01-03', '2026-01-02']],
    ['timestamps', ['2026-01-01T00:00:00.001Z', '2026-01-01T00:00:00.003Z', '2026-01-01T00:00:00.002Z']],
    [
      'SQL timestamps, descending',
      ['2026-01-03 00:00:00.000003', '2026-01-03 00:00:00.000001', '2026-01-03 00:00:00.000002'],
    ],
  ] as [string, Json[]][])('R8: keyset refuses rows out of order by %s', (_, keys) =>
    refused(
      { pageSize: 1_000, key: (key: never) => key, fetch: async () => keys as never },
      InvalidEnumeratorError,
      'keyset: the rows are out of order',
    ),
  );

  it.each([
    [
      'mixed directions',
      [
        ['b', 1, 9],
        ['b', 2, 8],
        ['a', 5, 5],
        ['a', 5, 4],
        ['a', 6, 9],
      ],
    ],
    ['texts that only the database can order', ['b', 'A', 'z', 'Ä']],
    ['dates of several formats', ['2026-01-01T00:00:00+02:00', '2026-01-01T00:00:00Z', '2026-01-01 00:00:00.5']],
    [
      'texts that a collation ties, with numbers after them',
      [
        ['a', 5],
        ['A', 1],
        ['a', 7],
      ],
    ],
  ] as [string, Json[]][])('R8: keyset follows %s', async (_, keys) => {
    const fetch = async (after: Json | null) => (after === null ? keys : []) as never[];
    const given = { cursor: null, key: (key: never) => key, fetch } as unknown as KeysetFetchOptions<Row, number>;
    expect(await items(build.keyset(given))).toEqual(keys);
  });

  it('R8: keyset refuses a key that is not unique', () =>
    refused(
      { key: ({ at }: Row) => at, fetch: async () => byAt.slice(0, 4) },
      InvalidEnumeratorError,
      'two rows have the same key',
    ));

  it('keyset refuses a row without a key', () =>
    refused({ key: () => undefined }, InvalidEnumeratorError, 'key() returned undefined for the row {"id":0'));

  it('keyset refuses a fetch that does not return an array', () =>
    refused(
      { fetch: async () => ({ rows: [] }) },
      InvalidEnumeratorError,
      'fetch(null, 4) returned {"rows":[]}; it must return an array',
    ));

  it('R8: keyset refuses a key that JSON would change', () =>
    refused(
      { key: ({ id }: Row) => [BigInt(id)] },
      InvalidCursorError,
      'cursor[0] is 3n, which JSON does not give back as it was. Use String(value)',
    ));

  it('keyset rejects with the original error of the database', async () => {
    const failure = new Error('connection lost');
    await expect(
      items(build.keyset({ ...byIdUpwards(), cursor: null, fetch: () => Promise.reject(failure) })),
    ).rejects.toBe(failure);
  });
});

async function items<Item>(enumerator: Enumerator<Item, Cursor>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const [item] of enumerator) found.push(item);
  return found;
}
