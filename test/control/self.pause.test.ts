import { expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const BY = 'nestjs-iteration';

describeQueues('a canary', BACKENDS, (queues) => {
  it('R35: the job pauses itself after its first items, shows them, and does the rest after resume', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcde' }, { canary: 2 });
    await until('the job is put away', () => job.isDelayed());
    expect(story).toEqual(['start', 'a', 'b', 'interrupt pause', 'end interrupt']);
    expect(await app.iterations.status(job)).toMatchObject({
      state: 'paused',
      processed: 2,
      size: 5,
      request: { type: 'pause', by: BY, reason: 'canary: its first 2 items are done' },
    });
    await app.iterations.resume(job);
    await app.settled(job);
    expect(story.slice(5)).toEqual(['resume', 'c', 'd', 'e', 'complete', 'end complete']);
  });

  it('R35: not one item more is handled in flight, nor after a run that ended before the pause', async () => {
    const { type, story } = storyProcessor(
      { each: async (letter, context) => (letter === 'b' ? context.retryIn(0) : undefined) },
      { itemConcurrency: 3 },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcdefgh' }, { canary: 5 });
    await until('the job is paused', async () => (await app.iterations.status(job)).state === 'paused');
    await until('the job is put away', () => job.isDelayed());
    expect(story.filter((event) => event.length === 1).sort()).toEqual([...'abcde']);
    await app.iterations.resume(job);
    await app.settled(job);
    expect(story.filter((event) => event.length === 1).sort()).toEqual([...'abcdefgh']);
  });

  it('R35: a source that has no more items than the canary is complete', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abc' }, { canary: 3 });
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 3, skipped: 0 });
    await expect(app.iterations.enqueue(type, {}, { canary: 0 })).rejects.toThrow('option "canary" is 0');
  });

  it('R35: a queue that is read destructively loses nothing to the pause', async () => {
    const letters = [...'abcd'];
    const { type, story } = storyProcessor({ build: (_, build) => build.poll(async () => letters.shift()) });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, {}, { canary: 2 });
    await until('the job is put away', () => job.isDelayed());
    expect([story.filter((event) => event.length === 1), letters]).toEqual([[...'ab'], [...'cd']]);
    await app.iterations.resume(job);
    await app.settled(job);
    expect(story.filter((event) => event.length === 1)).toEqual([...'abcd']);
  });
});

describeQueues('limits of skipped items', BACKENDS, (queues) => {
  const failing = (bad: string) => (letter: string) => {
    if (bad.includes(letter)) throw new Error(`bad ${letter}`);
  };

  it('R37: onLimit pause pauses the job with the reason, and resume grants the same limit anew', async () => {
    const { type, story } = storyProcessor(
      { each: failing('bcd') },
      { itemFailure: { then: 'skip', limit: 1, onLimit: 'pause' } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcde' });
    await until('the job is put away', () => job.isDelayed());
    expect(story).toEqual(['start', 'a', 'skip bad b', 'interrupt pause', 'end interrupt']);
    expect((await app.iterations.status(job)).request).toMatchObject({
      by: BY,
      reason: 'The job has skipped 1 item, as many as itemFailure.limit allows, and one more failed: bad c',
    });
    await app.iterations.resume(job);
    await until('it is paused again', async () => (await app.iterations.status(job)).skipped === 2);
    await until('the job is put away', () => job.isDelayed());
    await app.iterations.resume(job);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 2, skipped: 3 });
  });

  it('R37: consecutive counts skipped items in a row, over runs too', async () => {
    const { type, story } = storyProcessor(
      {
        each: (letter, context: IterationContext<{ letters?: string }>) => {
          failing('bcdfgh')(letter);
          if (letter === 'a') context.retryIn(0);
        },
        hook: (event, context) => (event === 'skip bad g' ? context.retryIn(0) : undefined),
      },
      { itemFailure: { then: 'skip', consecutive: 3 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcdefghi' });
    await app.settled(job, ['completed']);
    const { failedReason } = await (async () => {
      const other = await app.iterations.enqueue(type, { letters: 'bcfgh' });
      return app.settled(other, ['failed']);
    })();
    expect(failedReason).toBe(
      'The job has skipped 3 in a row, as many as itemFailure.consecutive allows, and one more failed: bad g',
    );
    expect(story.at(-1)).toBe('end fail');
  });

  it('R37: a percentage is looked at after so many items', async () => {
    const { type } = storyProcessor(
      { each: failing('ace') },
      { itemFailure: { then: 'skip', limit: { percent: 40, after: 5 } } },
    );
    const app = await queues.start({ processors: [type] });
    const passing = await app.iterations.enqueue(type, { letters: 'acbdfghijk' });
    expect((await app.settled(passing)).returnvalue).toEqual({ processed: 8, skipped: 2 });
    const failed = await app.iterations.enqueue(type, { letters: 'abcde' });
    expect((await app.settled(failed)).failedReason).toBe(
      'The job has skipped 2 of 4 items, as many as itemFailure.limit allows (40 %), and one more failed: bad e',
    );
  });

  it.each<[object, string]>([
    [{ limit: { percent: 101 } }, 'option "percent" is 101; it must be a number of percent, 0 to 100'],
    [{ limit: { after: 3 } }, 'option "percent" is undefined'],
    [{ limit: 'many' }, 'option "limit" is "many"; it must be a whole number, 0 or more, or { percent, after? }'],
    [{ consecutive: 0 }, 'option "consecutive" is 0'],
    [{ onLimit: 'stop' }, "it must be 'fail' or 'pause'"],
  ])('R37: itemFailure refuses %j', async (itemFailure, message) => {
    const { type } = storyProcessor({}, { itemFailure });
    await expect(queues.start({ processors: [type] })).rejects.toThrow(message);
  });
});
