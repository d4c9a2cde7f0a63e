import { describe, expect, it } from 'vitest';
import type { EnumeratorLike } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InvalidEnumeratorError } from '../../lib/iteration.errors.js';
import { readerOf } from '../support/pages.js';

const build = new EnumeratorBuilder();

describe('from', () => {
  const withoutCursors = {
    'a generator': function* () {
      yield ['a', null] as const;
    },
    'an async generator': async function* () {
      yield ['a', null] as const;
    },
    'an array': () => [['a', null] as const],
    'a generator over poll': async function* () {
      const queue = ['a'];
      for await (const [item, cursor] of build.poll(async () => queue.shift())) yield [item, cursor] as const;
    },
  } satisfies Record<string, () => EnumeratorLike<string, null>>;

  it.each(Object.entries(withoutCursors))(
    'R1: from and take refuse %s that yields a null cursor',
    async (_, source) => {
      for (const enumerator of [build.from(source()), build.take(source(), 1)]) {
        const reader = readerOf(enumerator);
        const reading = (async () => reader.next())();
        await expect(reading).rejects.toThrow(InvalidEnumeratorError);
        await expect(reading).rejects.toThrow('the cursor null, which means the beginning');
        await reader.close();
      }
    },
  );

  it('from has the fraction of its source, even through throttle', () => {
    const given = Object.assign([['a', 1] as const, ['b', 2] as const], { fraction: (cursor: number) => cursor / 2 });
    const from = build.from(given, { size: () => 2 });
    const throttled = build.throttle(from, { when: () => false, retryInMs: 1 });
    expect([from.fraction?.(1), throttled.fraction?.(2)]).toEqual([0.5, 1]);
    expect(build.from([['a', 1]] as const).fraction).toBeUndefined();
  });

  it('from accepts poll, which has no cursors, and sources made of poll', async () => {
    const queue = ['a', 'b', 'c'];
    const poll = () => build.poll(async () => queue.shift());
    const throttled = () => build.throttle(build.take(build.from(poll()), 1), { when: () => false, retryInMs: 1 });
    const seen: unknown[] = [];
    for (const source of [build.from(poll()), throttled()]) {
      for await (const pair of source) {
        seen.push(pair);
        break;
      }
    }
    expect(seen).toEqual([
      ['a', null],
      ['b', null],
    ]);
  });
});
