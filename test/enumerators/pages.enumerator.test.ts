import { describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

const build = new EnumeratorBuilder();

/** An API with these pages. The token of a page is its letter, or null for the first page. */
function api(pages: Readonly<Record<string, readonly number[]>>, asked: (string | null)[] = []) {
  const letters = Object.keys(pages);
  return async (token: string | null) => {
    asked.push(token);
    const letter = token ?? (letters[0] as string);
    return { items: pages[letter] ?? [], next: letters[letters.indexOf(letter) + 1] ?? null };
  };
}

describe('pages', () => {
  itKeepsTheEnumeratorContract('pages of several lengths, some empty', {
    size: 'none',
    build: (at) => build.pages({ ...at, fetch: api({ a: [], b: [1, 2, 3], c: [], d: [4], e: [5, 6], f: [] }) }),
    expected: [1, 2, 3, 4, 5, 6],
  });

  itKeepsTheEnumeratorContract('no items', {
    size: 'none',
    isEmpty: true,
    build: (at) => build.pages({ ...at, fetch: api({ a: [], b: [] }) }),
    expected: [],
  });

  itKeepsTheEnumeratorContract('tokens that are objects', {
    size: 'none',
    build: (at) =>
      build.pages({
        ...at,
        fetch: async (token: { readonly page: number } | null) => {
          const page = token?.page ?? 0;
          return { items: [2 * page, 2 * page + 1], next: page < 9 ? { page: page + 1 } : null };
        },
      }),
    expected: Array.from({ length: 20 }, (_, index) => index),
  });

  it('a cursor of pages holds token and index; a resumed run fetches that page again', async () => {
    const pages = { a: [1, 2], b: [3, 4], c: [5] };
    const cursors: Cursor[] = [];
    for await (const [, cursor] of build.pages({ cursor: null, fetch: api(pages) })) cursors.push(cursor);
    expect(cursors.slice(0, 3)).toEqual([
      { token: null, index: 0 },
      { token: null, index: 1 },
      { token: 'b', index: 0 },
    ]);
    const asked: (string | null)[] = [];
    const rest: number[] = [];
    for await (const [item] of build.pages({ cursor: cursors[2] as Cursor, fetch: api(pages, asked) })) rest.push(item);
    expect([rest, asked]).toEqual([
      [4, 5],
      ['b', 'c'],
    ]);
  });

  it.each([
    ['itself', (token: number | null) => token ?? 1],
    ['one of the two pages before', (token: number | null) => (token === 1 ? 2 : 1)],
    ['one of many pages before', (token: number | null) => ((token ?? 0) % 1000) + 1],
  ])('R8: pages refuses a token that leads to %s', async (_, next) => {
    const endless = build.pages({
      cursor: null,
      fetch: async (token: number | null) => ({ items: [1], next: next(token) }),
    });
    const reading = (async () => {
      for await (const _item of endless);
    })();
    await expect(reading).rejects.toThrow(InvalidEnumeratorError);
    await expect(reading).rejects.toThrow('came again, so the pages would never end');
  });

  it.each<[unknown, string]>([
    ['', '""'],
    ['  ', '"  "'],
    [0, '0'],
    [-1, '-1'],
    [Number.NaN, 'NaN'],
    [false, 'false'],
    [true, 'true'],
    [{}, '{}'],
    [[], '[]'],
  ])('pages refuses next: %j, which is not a token, before any item of its page', async (next, shown) => {
    const enumerator = build.pages({ cursor: null, fetch: async () => ({ items: [1, 2, 3], next: next as never }) });
    const taken: number[] = [];
    const reading = (async () => {
      for await (const [item] of enumerator) taken.push(item);
    })();
    await expect(reading).rejects.toThrow(InvalidEnumeratorError);
    await expect(reading).rejects.toThrow(`pages: fetch(null) returned next: ${shown}, which is not a token`);
    expect(taken).toEqual([]);
  });

  it.each([
    ['a key of DynamoDB', { id: { S: 'a' } }],
    ['the sort values of Elasticsearch', [1_764_000_000_000, 'a']],
    ['an offset', 100],
  ])('pages accepts %s as a token', async (_, token) => {
    const asked: unknown[] = [];
    const fetch = async (at: typeof token | null) => {
      asked.push(at);
      return { items: [asked.length], next: at ? null : token };
    };
    const items: number[] = [];
    for await (const [item] of build.pages<number, never>({ cursor: null, fetch: fetch as never })) items.push(item);
    expect([items, asked]).toEqual([
      [1, 2],
      [null, token],
    ]);
  });

  it('R8: pages refuses a token that JSON would change, at the page that returns it', async () => {
    const fetch = async () => ({ items: [1], next: { after: new Date(0) } as never });
    const reading = build.pages({ cursor: null, fetch })[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toThrow(InvalidCursorError);
    await expect(reading).rejects.toThrow('next.after is a Date');
  });

  it.each([
    [
      'no next',
      { items: [1] },
      'pages: fetch(null) returned no next; it must return { items, next }, and next: null at the end',
    ],
    ['no items', { next: null }, 'returned no array of items'],
    ['no content', undefined, 'returned no array of items'],
  ])('pages refuses a page with %s', async (_, page, message) => {
    const enumerator = build.pages({ cursor: null, fetch: async () => page as never });
    const reading = enumerator[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toThrow(InvalidEnumeratorError);
    await expect(reading).rejects.toThrow(message);
  });

  it('pages refuses wrong options and the cursor of another source at once', () => {
    const fetch = api({ a: [1] });
    expect(() => build.pages({ cursor: null, fetch: undefined as never })).toThrow(InvalidOptionsError);
    expect(() => build.pages({ cursor: undefined as never, fetch })).toThrow('pages: no cursor is given');
    expect(() => build.pages({ cursor: 5, fetch })).toThrow(InvalidCursorError);
    expect(() => build.pages({ cursor: { token: 'a', index: -2 }, fetch })).toThrow('is not a cursor of pages');
  });
});
