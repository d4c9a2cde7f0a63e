import { describe, expect, it } from 'vitest';
import { sourceOf } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

const build = new EnumeratorBuilder();
const letters = ['a', 'b', 'c', 'd', 'e'];

describe('throttle', () => {
  itKeepsTheEnumeratorContract('never paused', {
    size: 'exact',
    build: (at) => build.throttle(build.array(letters, at), { when: () => false, retryInMs: 5 }),
    expected: letters,
  });

  let asked = 0;
  itKeepsTheEnumeratorContract('paused every other time, outside a run', {
    size: 'exact',
    build: (at) => build.throttle(build.array(letters, at), { when: async () => asked++ % 2 === 0, retryInMs: 0 }),
    expected: letters,
  });

  it('throttle calls when() before each item and before each fetch of its source', async () => {
    const story: unknown[] = [];
    let paused = true;
    const rows = build.keyset({
      cursor: null,
      pageSize: 2,
      key: (id: number) => id,
      fetch: async (after, limit) => {
        story.push(['fetch', after]);
        return [1, 2, 3].filter((id) => id > (after ?? 0)).slice(0, limit);
      },
    });
    const when = async () => {
      story.push('when');
      return paused;
    };
    const reader = sourceOf(build.throttle(rows, { when, retryInMs: 70 })).read();
    const next = async () => story.push(await reader.next());

    await next();
    paused = false;
    await next();
    paused = true;
    await next();
    paused = false;
    for (let left = 3; left > 0; left--) await next();
    await reader.close();

    const page = (item: number) => expect.objectContaining({ items: [item] });
    expect(story).toEqual([
      ...['when', { retryInMs: 70 }],
      ...['when', ['fetch', null], page(1)],
      ...['when', { retryInMs: 70 }],
      ...['when', page(2)],
      ...['when', ['fetch', 2], page(3)],
      ...['when', ['fetch', 3], undefined],
    ]);
  });

  it('throttle keeps the size of its source', async () => {
    const options = { when: () => false, retryInMs: 0 };
    expect(await build.throttle(build.array(letters, { cursor: null }), options).size?.()).toBe(5);
    expect(build.throttle(new Map(), options).size).toBeUndefined();
  });

  it('throttle refuses wrong options and a source that is not iterable, at once', () => {
    const source = build.array(letters, { cursor: null });
    expect(() => build.throttle(source, undefined as never)).toThrow(InvalidOptionsError);
    expect(() => build.throttle(source, { when: true as never, retryInMs: 1 })).toThrow(
      'throttle: option "when" is true; it must be a function',
    );
    for (const retryInMs of [-1, Number.NaN, undefined as never]) {
      expect(() => build.throttle(source, { when: () => false, retryInMs })).toThrow('a number of milliseconds');
    }
    expect(() => build.throttle(null as never, { when: () => false, retryInMs: 1 })).toThrow(InvalidEnumeratorError);
  });
});
