import { describe, expect, it } from 'vitest';
import { arrayEnumerator } from '../../lib/enumerators/array.enumerator.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

describe('array', () => {
  const letters = ['a', 'b', 'c', 'd', 'e'];

  itKeepsTheEnumeratorContract('array', { build: (at) => arrayEnumerator(letters, at), expected: letters });
  itKeepsTheEnumeratorContract('empty array', { build: (at) => arrayEnumerator([], at), expected: [] });

  it.each([-1, 1.5, 'a', [1]])('refuses the cursor %j, which is no index', (cursor) => {
    expect(() => arrayEnumerator(letters, { cursor })).toThrow(`The cursor ${JSON.stringify(cursor)} is not an index`);
  });
});
