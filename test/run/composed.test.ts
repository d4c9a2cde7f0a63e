import { expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { At } from '../../lib/enumerators/contract/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { processorTime } from '../support/processor-time.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('composed sources in a job', BACKENDS, (queues) => {
  it('throttle ends the run, uses no attempt, and resumes after retryInMs where it stopped', async () => {
    const asked: number[] = [];
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.throttle(enumerators.array([...'abc'], { cursor }), {
          when: async () => asked.push(Date.now()) === 3,
          retryInMs: 300,
        }),
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));

    expect(story).toEqual([
      ...['start', 'a', 'b', 'interrupt throttle', 'end interrupt'],
      ...['resume', 'c', 'complete', 'end complete'],
    ]);
    expect((asked[3] as number) - (asked[2] as number)).toBeGreaterThanOrEqual(300);
    expect(job.attemptsMade).toBe(1);
    const { lastInterruption, interruptions } = await app.iterations.status(job);
    expect([lastInterruption, interruptions]).toEqual([{ reason: 'throttle', retryInMs: 300 }, 1]);
  });

  it('throttle can end a run before its first item and before its source fetches anything', async () => {
    let times = 0;
    let fetched = 0;
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.throttle(
          enumerators.pages({
            cursor,
            fetch: async () => {
              fetched++;
              return { items: ['a'], next: null };
            },
          }),
          { when: () => times++ < 2 && fetched === 0, retryInMs: 0 },
        ),
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect(story).toEqual([
      ...['start', 'interrupt throttle', 'end interrupt', 'resume', 'interrupt throttle', 'end interrupt'],
      ...['resume', 'a', 'complete', 'end complete'],
    ]);
    expect(fetched).toBe(1);
  });

  it('R2: poll acknowledges only finished items, including the item in progress at a stop', async () => {
    const queue = [...'abc'];
    const acked: string[] = [];
    const hold = new Hold('b');
    const { type, story } = storyProcessor({
      build: (_, enumerators) =>
        enumerators.poll(async () => queue.shift(), { ack: async (letter) => void acked.push(letter) }),
      each: (letter, context) => {
        if (letter === 'c' && !story.includes('fail')) return story.push('fail') && Promise.reject(new Error('no c'));
        return hold.each(letter, context);
      },
    });
    const first = await queues.start({ processors: [type] });
    const job = await first.queue().add('story', {}, { attempts: 2 });
    await hold.reached;
    await first.close();
    expect(story).toEqual(['start', 'a', 'b', 'interrupt shutdown', 'end interrupt']);
    expect([acked, queue]).toEqual([['a', 'b'], ['c']]);

    const second = await queues.start({ processors: [type] });
    await second.settled(job);
    expect(story.slice(5)).toEqual(['resume', 'fail', 'end retry', 'resume', 'complete', 'end complete']);
    expect(acked).toEqual(['a', 'b']);
  });

  it('maxRuntimeMs ends a run of poll that waits idleMs for items, and the next run continues', async () => {
    const queue = ['a'];
    const { type, story } = storyProcessor(
      {
        build: (_, enumerators) => enumerators.poll(async () => queue.shift(), { idleMs: 5 }),
        each: (letter, context) => {
          if (letter === 'b') context.stop();
        },
        hook: (event) => {
          if (event === 'interrupt maxRuntime' && queue.length === 0) queue.push('b');
        },
      },
      { maxRuntimeMs: 50 },
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect(story).toEqual([
      ...['start', 'a', 'interrupt maxRuntime', 'end interrupt'],
      ...['resume', 'b', 'complete', 'end complete'],
    ]);
  });

  it('an idle poll stops at once and takes no item afterwards', async () => {
    const asked = new Gate();
    let closed = false;
    const { type, story } = storyProcessor({
      build: (_, enumerators) =>
        enumerators.poll<string>(
          async () => {
            asked.open();
            return closed ? 'lost' : null;
          },
          { idleMs: 1 },
        ),
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await asked.wait();
    await app.close();
    closed = true;
    expect(story).toEqual(['start', 'interrupt shutdown', 'end interrupt']);
    const control = await queues.start({});
    expect(await control.queue().getJobState(job.id as string)).toBe('waiting');
  });

  it('R1: poll within nested handles every item that it takes when the run stops', async () => {
    const queue = [...'abcdef'];
    const hold = new Hold('b');
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.nested([(at) => enumerators.times(3, at), () => enumerators.poll(async () => queue.shift())], {
          cursor,
        }),
      each: hold.each,
    });
    const first = await queues.start({ processors: [type] });
    const job = await first.queue().add('story', {});
    await hold.reached;
    expect(queue).toEqual([...'cdef']);
    await first.close();
    const second = await queues.start({ processors: [type] });
    await second.settled(job);
    expect(story.filter((line) => line.length === 1)).toEqual([...'abcdef']);
  });

  it('take counts the items of all runs of a job, also when its source is a generator', async () => {
    const hold = new Hold('b');
    function* letters({ cursor }: At): Generator<readonly [string, number]> {
      for (let index = ((cursor as number | null) ?? -1) + 1; ; index++) yield ['abcdefgh'[index] as string, index];
    }
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.take(letters({ cursor }), 4),
      each: hold.each,
    });
    const first = await queues.start({ processors: [type] });
    const job = await first.queue().add('story', {});
    await hold.reached;
    await first.close();
    const second = await queues.start({ processors: [type] });
    expect((await second.settled(job)).returnvalue).toEqual({ processed: 4, skipped: 0 });
    expect(story.filter((line) => line.length === 1)).toEqual([...'abcd']);
  });

  it('R1: nested resumes within the outer item at which it was interrupted', async () => {
    const hold = new Hold('b2');
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.nested(
          [
            (at) => enumerators.array([...'abc'], at),
            (letter, at) =>
              letter === 'a'
                ? null
                : enumerators.array(
                    [1, 2, 3].map((n) => `${letter}${n}`),
                    at,
                  ),
          ],
          { cursor },
        ),
      each: hold.each,
    });
    const first = await queues.start({ processors: [type] });
    const job = await first.queue().add('story', {});
    await hold.reached;
    await first.close();
    const second = await queues.start({ processors: [type] });
    await second.settled(job);
    expect(story).toEqual([
      ...['start', 'b1', 'b2', 'interrupt shutdown', 'end interrupt'],
      ...['resume', 'b3', 'c1', 'c2', 'c3', 'complete', 'end complete'],
    ]);
  });

  it('R13: nested over empty inner levels yields to the event loop, saves checkpoints, and resumes there', async () => {
    let spent = () => 0;
    let spentMs = Infinity;
    const { type, story } = storyProcessor(
      {
        hook: (event) => {
          if (event === 'end interrupt') spentMs = spent();
        },
        build: ({ cursor }, enumerators) =>
          enumerators.nested([(at) => enumerators.times(1e9, at), (_, at) => enumerators.array<string>([], at)], {
            cursor,
          }),
      },
      { checkpoint: { everyMs: 20 } },
    );
    const first = await queues.start({ processors: [type] });
    const job = await first.queue().add('story', {});
    const cursorOf = async (app: typeof first) => outerOf((await app.iterations.status(job)).cursor);
    const before = await until('the checkpoint moves', async () => (await cursorOf(first)) > 0 && cursorOf(first));
    spent = processorTime();
    await first.close();
    expect(spentMs).toBeLessThan(500);

    const stopped = await cursorOf(await queues.start({}));
    expect(stopped).toBeGreaterThanOrEqual(before);

    const second = await queues.start({ processors: [type] });
    await until('the second run moves the cursor', async () => (await cursorOf(second)) > stopped);
    expect(story).toEqual(['start', 'interrupt shutdown', 'end interrupt', 'resume']);
  });
});

function outerOf(cursor: Cursor): number {
  return (cursor as { outer?: { at: number } } | null)?.outer?.at ?? 0;
}
