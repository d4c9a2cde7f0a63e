import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  type PartitionsContext,
  type ProcessorOptions,
} from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Gate, until } from '../support/until.js';

interface Data {
  readonly parts: readonly string[];
}

interface Script {
  each?: (letter: string, context: IterationContext<Data>) => unknown;
}

/** A job over words: each word is a part, and each letter an item. */
function partedProcessor(script: Script = {}, options: Partial<ProcessorOptions> = {}) {
  const story: string[] = [];
  let splits = 0;

  @Injectable()
  @IterativeProcessor({ queue: 'jobs', name: 'parted', worker: { concurrency: 4 }, ...options })
  class Parted {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildPartitions()
    split({ data }: PartitionsContext<Data>) {
      splits++;
      return data.parts;
    }

    @BuildEnumerator()
    build({ cursor, part }: BuildContext<Data, number, string>) {
      return this.enumerators.array([...(part as string)], { cursor });
    }

    @EachIteration()
    async each(letter: string, context: IterationContext<Data>) {
      await script.each?.(letter, context);
      story.push(letter);
    }

    @OnIteration('start') start() {
      story.push('start');
    }
    @OnIteration('complete') complete({ processed }: IterationContext<Data>) {
      story.push(`complete ${processed}`);
    }
    @OnIteration('fail') fail(_: IterationContext<Data>, { error }: { error: unknown }) {
      story.push(`fail ${(error as Error).message}`);
    }
  }
  return { type: Parted, story, script, splits: () => splits };
}

describeQueues('a job in parts', BACKENDS, (queues) => {
  it('R27: each part is handled once; start and complete are those of the job', async () => {
    const { type, story, splits } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['abc', '', 'de', 'f'] }));
    expect([await job.getState(), job.returnvalue]).toEqual(['completed', { processed: 6, skipped: 0 }]);
    expect([story[0], story.slice(1, -1).sort(), story.at(-1)]).toEqual(['start', [...'abcdef'], 'complete 6']);
    expect(splits()).toBe(1);
    expect(await app.queue().getJobCounts('completed', 'waiting', 'active', 'failed')).toMatchObject({ completed: 1 });
  });

  it('R27: an empty list of parts is an empty source', async () => {
    const { type, story } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: [] }));
    expect([job.returnvalue, story]).toEqual([{ processed: 0, skipped: 0 }, ['start', 'complete 0']]);
  });

  it('R27: a part that fails permanently fails the job when the others have ended; a retry finishes what is left', async () => {
    const { type, story, script, splits } = partedProcessor({
      each: async (letter) => {
        if (letter === 'd') throw new Error('bad d');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['abc', 'xdy', 'ef'] }));
    expect(await job.getState()).toBe('failed');
    expect(job.failedReason).toMatch(/^1 of its 3 parts have failed; the first is the job ".*-part-1": bad d$/);
    expect(story.at(-1)).toBe(`fail ${job.failedReason}`);
    expect(story.slice(1, -1).sort()).toEqual([...'abcefx']);
    script.each = async () => {};
    const before = story.length;
    await job.retry('failed');
    const retried = await app.settled(job, ['completed']);
    expect(retried.returnvalue).toEqual({ processed: 8, skipped: 0 });
    expect(story.slice(before)).toEqual(['d', 'y', 'complete 8']);
    expect(splits()).toBe(1);
  });

  it("R27: with partFailure 'continue' the job completes, and its result names the part that failed", async () => {
    const { type, story } = partedProcessor(
      {
        each: async (letter) => {
          if (letter === 'd') throw new Error('bad d');
        },
      },
      { partFailure: 'continue' },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['abc', 'xdy'] }));
    expect(job.returnvalue).toEqual({ processed: 4, skipped: 0, failedParts: [expect.stringMatching(/-part-1$/)] });
    expect(story.at(-1)).toBe('complete 4');
    expect(await app.queue().getFailedCount()).toBe(1);
  });

  it('R27: a shutdown in the middle loses nothing: parts resume, and the job is not split again', async () => {
    const { type, story, splits } = partedProcessor();
    const first = await queues.start({ processors: [type] });
    const parts = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index).repeat(50));
    const job = await first.iterations.enqueue(type, { parts });
    await first.close();
    const second = await queues.start({ processors: [type] });
    const ended = await second.settled(job);
    expect(ended.returnvalue).toEqual({ processed: 1_000, skipped: 0 });
    expect(story.filter((letter) => letter.length === 1).sort()).toEqual([...parts.join('')]);
    expect(splits()).toBe(1);
  });

  it('R27: status adds up the parts; pause and resume reach each of them, also those that wait', async () => {
    const { type, story } = partedProcessor({
      each: async (letter, context) => {
        if (letter === 'b') await until('the run is asked to stop', () => context.interruption !== undefined);
      },
    });
    const app = await queues.start({ processors: [type] });
    const parts = ['abc', 'bcd', 'bde', 'bef', 'xyz', 'xyz'];
    const job = await app.iterations.enqueue(type, { parts });
    await until('four parts are held, and the job waits for them', async () => {
      const { partStates } = await app.iterations.status(job);
      return partStates?.running === 4 && (await job.getState()) === 'waiting-children';
    });
    expect(await app.iterations.status(job)).toMatchObject({
      state: 'running',
      partStates: { running: 4, waiting: 2 },
    });
    await app.iterations.pause(job, { by: 'ann' });
    await until('all parts are paused', async () => (await app.iterations.status(job)).partStates?.paused === 6);
    const handled = [...story];
    expect(handled).not.toContain('x');
    expect(await app.iterations.status(job)).toMatchObject({ state: 'paused', processed: handled.length - 1 });
    await app.iterations.resume(job);
    const ended = await app.settled(job);
    expect(ended.returnvalue).toEqual({ processed: 18, skipped: 0 });
  });

  it('R27: cancel ends the parts, and then the job, with what was handled', async () => {
    const held = new Gate();
    const { type, story } = partedProcessor({ each: () => held.wait() });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['ab', 'cd', 'ef', 'gh', 'ij', 'kl'] });
    await until('four parts are held', async () => (await app.iterations.status(job)).partStates?.running === 4);
    await app.iterations.cancel(job, 'wrong list');
    held.open();
    const ended = await app.settled(job);
    expect([await ended.getState(), ended.failedReason]).toEqual(['failed', 'The job was cancelled: wrong list']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'cancelled', processed: story.length - 1 });
    expect(story).not.toContain('i');
  });

  it('R27: a job that is restarted is split anew; one that waits for its parts is refused', async () => {
    const { type, story, splits } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab', 'c'] }));
    await app.iterations.restart(job);
    await until('the job was split again, and has ended', async () => splits() === 2 && (await job.isCompleted()));
    expect(story.filter((letter) => letter.length === 1).sort()).toEqual([...'aabbcc']);
    const held = new Gate();
    const other = partedProcessor({ each: () => held.wait() }, { name: 'other' });
    const held2 = await queues.start({ processors: [type, other.type], queues: ['jobs'] });
    const waiting = await held2.iterations.enqueue(other.type, { parts: ['ab', 'c'] });
    await until('the job waits for its parts', () => waiting.isWaitingChildren());
    await expect(held2.iterations.restart(waiting)).rejects.toThrow('waits for its parts');
    held.open();
    await held2.settled(waiting);
  });
});
