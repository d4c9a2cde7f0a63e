import { describe, expect, it } from 'vitest';
import { sourceOf } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InvalidOptionsError } from '../../lib/iteration.errors.js';
import { Gate } from '../../lib/testing/gate.js';
import { readerOf } from '../support/pages.js';

const build = new EnumeratorBuilder();

describe('poll', () => {
  it('poll yields items one by one until fetch returns nothing, without cursors', async () => {
    const queue: (string | null)[] = ['a', 'b', '', null, 'late'];
    const seen: unknown[] = [];
    for await (const pair of build.poll(async () => queue.shift())) seen.push(pair);
    expect(seen).toEqual([
      ['a', null],
      ['b', null],
      ['', null],
    ]);
    expect(queue).toEqual(['late']);
  });

  it('poll acknowledges each finished item before it takes the next', async () => {
    const story: string[] = [];
    const queue = ['a', 'b'];
    const poll = build.poll(
      async () => {
        story.push('fetch');
        return queue.shift();
      },
      { ack: async (item) => void story.push(`ack ${item}`) },
    );
    for await (const [item] of poll) story.push(item);
    expect(story).toEqual(['fetch', 'a', 'ack a', 'fetch', 'b', 'ack b', 'fetch']);
  });

  it('poll does not acknowledge an item that is not finished', async () => {
    const acked: string[] = [];
    for await (const _ of build.poll(async () => 'a', { ack: async (item) => void acked.push(item) })) break;
    expect(acked).toEqual([]);
  });

  it('poll with idleMs asks again while there is nothing', async () => {
    const answers = [null, undefined, 'a', null, 'b'];
    const reader = readerOf(build.poll(async () => answers.shift(), { idleMs: 1 }));
    expect((await reader.next())?.items).toEqual(['a']);
    expect((await reader.next())?.items).toEqual(['b']);
    await reader.close();
  });

  it('poll stops asking when it is closed during a wait', async () => {
    const asked = new Gate();
    let count = 0;
    const reader = sourceOf(
      build.poll(
        async () => {
          count++;
          asked.open();
          return null;
        },
        { idleMs: 3_600_000 },
      ),
    ).read();
    const next = reader.next();
    await asked.wait();
    await reader.close();
    expect(await next).toBeUndefined();
    expect(count).toBe(1);
  });

  it('poll refuses wrong options at once', () => {
    expect(() => build.poll(undefined as never)).toThrow(InvalidOptionsError);
    expect(() => build.poll(async () => 1, { idleMs: -1 })).toThrow(
      'poll: option "idleMs" is -1; it must be a number of milliseconds, 0 to 2147483647',
    );
    expect(() => build.poll(async () => 1, { ack: true as never })).toThrow(
      'poll: option "ack" is true; it must be a function',
    );
  });
});
