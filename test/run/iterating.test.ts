import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';

describeQueues('iterating and resuming', BACKENDS, (queues) => {
  it('R1: a job that is interrupted after every item handles each item once, in order', async () => {
    const letters = 'abcdef';
    const { type, story, script } = storyProcessor();
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('story', { letters });
    for (const letter of letters) {
      const hold = new Hold(letter);
      script.each = hold.each;
      const app = await queues.start({ processors: [type] });
      await hold.reached;
      await app.close();
    }
    // The last run saw the end of the source when it was stopped, and completed.
    const done = await producer.settled(job);

    expect(story.filter((event) => event.length === 1)).toEqual([...letters]);
    expect(done.returnvalue).toEqual({ processed: 6, skipped: 0 });
  });

  it('R2: the cursor moves only after the handler of its item has succeeded', async () => {
    const cursors: unknown[] = [];
    const { type } = storyProcessor({
      each: async (_letter, context) => {
        cursors.push(context.cursor);
        await Promise.resolve();
        cursors.push(context.cursor);
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abc' }));

    expect(cursors).toEqual([null, null, 0, 0, 1, 1]);
  });

  it('R2: a retry starts with the failed item and repeats no earlier item', async () => {
    let failures = 1;
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'c' && failures-- > 0) throw new Error('flaky');
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}, { attempts: 2 }));

    expect(story).toEqual(['start', 'a', 'b', 'end retry', 'resume', 'c', 'd', 'e', 'complete', 'end complete']);
  });

  it('R3: maxRuntimeMs never ends a run before its first item is finished, and ends it soon after', async () => {
    const { type, story } = storyProcessor(
      { each: () => new Promise((resolve) => setTimeout(resolve, 5)) },
      { maxRuntimeMs: 1, checkpoint: { everyMs: 600_000 } },
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abc' }));

    const cut = ['interrupt maxRuntime', 'end interrupt', 'resume'];
    expect(story).toEqual(['start', 'a', 'b', ...cut, 'c', 'complete', 'end complete']);
  });

  it('R6: a job goes to the end of the queue after maxRuntimeMs, and on Redis to its head at a shutdown', async () => {
    const order: string[] = [];
    const { type, script } = storyProcessor({}, { maxRuntimeMs: 1 });
    script.each = async (letter) => {
      order.push(letter);
      await new Promise((resolve) => setTimeout(resolve, 3));
    };
    const producer = await queues.start({ iteration: { workers: false } });
    const first = await producer.queue().add('story', { letters: 'abcd' });
    const second = await producer.queue().add('story', { letters: 'xyz' });
    const app = await queues.start({ processors: [type] });
    await Promise.all([app.settled(first), app.settled(second)]);
    expect(order.join('')).toMatch(/^ab?.*x.*[cd]/);
    await app.close();

    order.length = 0;
    const hold = new Hold('a');
    script.each = (letter, context) => {
      order.push(letter);
      return hold.each(letter, context);
    };
    const third = await producer.queue().add('story', { letters: 'ab' });
    const fourth = await producer.queue().add('story', { letters: 'xy' });
    const stopped = await queues.start({ processors: [type] });
    await hold.reached;
    await stopped.close();
    const resumed = await queues.start({ processors: [type] });
    await Promise.all([resumed.settled(third), resumed.settled(fourth)]);
    expect(order).toEqual(queues.backend === 'redis' ? ['a', 'b', 'x', 'y'] : ['a', 'x', 'y', 'b']);
  });

  it('R7: a run saves its checkpoint, calls its hooks, and then settles the job, once', async () => {
    const seen: string[] = [];
    const hold = new Hold('b');
    const { type } = storyProcessor({
      each: hold.each,
      hook: async (event, { job }) => {
        if (!event.startsWith('interrupt') && event !== 'complete' && !event.startsWith('end')) return;
        const saved = await job.getState();
        const { progress } = (await queue().getJob(job.id as string)) as { progress: { cursor: unknown } };
        seen.push(`${event}: ${saved}, cursor ${JSON.stringify(progress.cursor)}`);
      },
    });
    let app = await queues.start({ processors: [type] });
    const queue = () => app.queue();
    const job = await app.queue().add('story', { letters: 'abc' });
    await hold.reached;
    await app.close();
    app = await queues.start({ processors: [type] });
    await app.settled(job);

    expect(seen).toEqual([
      'interrupt shutdown: active, cursor 1',
      'end interrupt: active, cursor 1',
      'complete: active, cursor 2',
      'end complete: active, cursor 2',
    ]);
  });

  it('R7: an interrupt or end hook that throws is logged, and the job still settles', async () => {
    const hold = new Hold('b');
    const { type, story } = storyProcessor({
      each: hold.each,
      hook: (event) => {
        if (event.startsWith('interrupt') || event.startsWith('end')) throw new Error(`broken in ${event}`);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abc' });
    await hold.reached;
    await app.close();
    const resumed = await queues.start({ processors: [type] });
    expect((await resumed.settled(job)).returnvalue).toEqual({ processed: 3, skipped: 0 });

    expect(story).toEqual([
      ...['start', 'a', 'b', 'interrupt shutdown', 'end interrupt'],
      ...['resume', 'c', 'complete', 'end complete'],
    ]);
    expect(queues.logs.filter((line) => line.includes('broken in')).length).toBe(3);
  });

  it.each(['start', 'resume', 'complete'])('R7: a %s hook that throws fails the attempt', async (broken) => {
    let hookFailures = 1;
    let itemFailures = 1;
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'b' && itemFailures-- > 0) throw new Error('flaky');
      },
      hook: (event) => {
        if (event === broken && hookFailures-- > 0) throw new Error('broken hook');
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'ab' }, { attempts: 3 }));

    const expected = {
      start: ['start', 'end retry', 'start', 'a', 'end retry', 'resume', 'b', 'complete', 'end complete'],
      resume: ['start', 'a', 'end retry', 'resume', 'end retry', 'resume', 'b', 'complete', 'end complete'],
      complete: [
        'start',
        'a',
        'end retry',
        'resume',
        'b',
        'complete',
        'end retry',
        'resume',
        'complete',
        'end complete',
      ],
    }[broken];
    expect(story).toEqual(expected);
  });

  it('R12: a job with an empty source calls its hooks and completes at once', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: '' }));

    expect(job.returnvalue).toEqual({ processed: 0, skipped: 0 });
    expect(story).toEqual(['start', 'complete', 'end complete']);
  });

  it('R12: a job whose builder returns null completes without calling hooks', async () => {
    const { type, story } = storyProcessor({ build: () => null });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));

    expect(job.returnvalue).toEqual({ processed: 0, skipped: 0 });
    expect(story).toEqual([]);
  });

  it('R12, R23: a retried job starts from the beginning if its builder returned null in a later run', async () => {
    let nothing = false;
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) => (nothing ? null : enumerators.array(['a', 'b'], { cursor: cursor as null })),
      each: (_letter, context) => {
        nothing = !nothing;
        if (nothing) context.retryIn(0);
        else context.stop();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(story).toEqual(['start', 'a', 'interrupt retryIn', 'end interrupt']);
    nothing = false;
    await job.retry('completed');
    await app.settled(job, ['completed']);
    expect(story.slice(4)).toEqual(['start', 'a', 'interrupt retryIn', 'end interrupt']);
  });

  it('R1: a run awaits any thenable that a handler returns before the item counts as finished', async () => {
    const finished: string[] = [];
    const { type } = storyProcessor({
      each: (letter) =>
        Object.assign(() => {}, {
          then: (resolve: () => void) =>
            setImmediate(() => {
              finished.push(letter);
              resolve();
            }),
        }),
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abc' }));
    expect(finished).toEqual(['a', 'b', 'c']);
  });

  it('a run awaits a size that is a thenable, as in Prisma, and ignores a size that is not a number', async () => {
    for (const [given, size] of [
      [{ then: (resolve: (size: number) => void) => resolve(3) }, 3],
      ['3', undefined],
    ] as const) {
      const { type } = storyProcessor({
        build: ({ cursor }, enumerators) =>
          enumerators.from(enumerators.array(['a', 'b', 'c'], { cursor: cursor as null }), {
            size: () => given as never,
          }),
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.settled(await app.queue().add('story', {}));
      expect((await app.iterations.status(job)).size).toBe(size);
      expect(
        queues.logs.filter((line) => line.includes("size returned '3', which is not a number of items")).length,
      ).toBe(size ? 0 : 1);
      await app.close();
    }
  });

  it('R2: a generator that reuses and changes one cursor object loses no item', async () => {
    const hold = new Hold('b');
    const { type, story, script } = storyProcessor({
      build: ({ cursor }) =>
        (function* () {
          const after = (cursor as { at: number } | null)?.at ?? -1;
          const shared = { at: after };
          for (const [index, letter] of [...'abcd'].entries()) {
            if (index <= after) continue;
            shared.at = index;
            yield [letter, shared];
          }
        })(),
      each: hold.each,
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await hold.reached;
    await app.close();
    script.each = undefined;
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);
    expect(story.filter((event) => event.length === 1)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('retryIn() delays the job also when a shutdown was requested before', async () => {
    const hold = new Hold('b');
    const { type } = storyProcessor({
      each: async (letter, context) => {
        await hold.each(letter, context);
        if (letter === 'b') context.retryIn(60_000);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await hold.reached;
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await reader.queue().getJobState(job.id as string)).toBe('delayed');
    expect((await reader.iterations.status(job)).lastInterruption).toEqual({ reason: 'retryIn', retryInMs: 60_000 });
  });
});
