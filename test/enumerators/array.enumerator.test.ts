import { describe, expect, it } from 'vitest';
import { arrayEnumerator } from '../../lib/enumerators/array.enumerator.js';
import { takeEnumerator } from '../../lib/enumerators/take.enumerator.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { readerOf } from '../support/pages.js';

describe('array', () => {
  const hundreds = Array.from({ length: 25_000 }, (_, index) => index);
  const letters = ['a', 'b', 'c', 'd', 'e'];

  itKeepsTheEnumeratorContract('array', {
    size: 'exact',
    build: (at) => arrayEnumerator(letters, at),
    expected: letters,
  });
  itKeepsTheEnumeratorContract('empty array', {
    size: 'exact',
    isEmpty: true,
    build: (at) => arrayEnumerator([], at),
    expected: [],
  });

  itKeepsTheEnumeratorContract('array of several pages', {
    size: 'exact',
    build: (at) => arrayEnumerator(hundreds, at),
    expected: hundreds,
    stretches: 5,
  });

  it('R13: a resumed array copies at most two pages, read directly or through take', async () => {
    const asked: number[] = [];
    const items = new Proxy(hundreds, {
      get(target, name) {
        if (typeof name === 'string' && /^\d+$/.test(name)) asked.push(Number(name));
        return Reflect.get(target, name);
      },
    });
    const resumed = arrayEnumerator(items, { cursor: 99 });
    for (const enumerator of [resumed, takeEnumerator(resumed, 24_000)]) {
      asked.length = 0;
      const reader = readerOf(enumerator);
      expect((await reader.next())?.items[0]).toBe(100);
      expect([asked[0], asked.at(-1)]).toEqual([100, 20_099]); // one page, and the page ahead
      await reader.close();
    }
  });

  it.each([-1, 1.5, 'a', [1]])('array refuses the cursor %j, which is not an index', (cursor) => {
    expect(() => arrayEnumerator(letters, { cursor })).toThrow(`The cursor ${JSON.stringify(cursor)} is not an index`);
  });
});
