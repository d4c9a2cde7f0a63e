import { expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { partedProcessor, throwFor } from '../support/parted.js';
import { until } from '../support/until.js';

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

  it('R27: a job that is restarted is split anew; one whose parts run is refused until it is paused', async () => {
    const { type, story, script, splits } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab', 'c'] }));
    await app.iterations.restart(job);
    await until('the job was split again, and has ended', async () => splits() === 2 && (await job.isCompleted()));
    expect(story.filter((letter) => letter.length === 1).sort()).toEqual([...'aabbcc']);

    script.each = (_, context) => until('the run is asked to stop', () => context.interruption !== undefined);
    const other = await app.iterations.enqueue(type, { parts: ['xxx', 'zzz'] });
    await until('both parts run', async () => (await app.iterations.status(other)).partStates?.running === 2);
    await expect(app.iterations.restart(other)).rejects.toThrow('is running in parts');
    await app.iterations.pause(other);
    await until('both parts are paused', async () => (await app.iterations.status(other)).partStates?.paused === 2);
    script.each = () => {};
    story.length = 0;
    await app.iterations.restart(other);
    const ended = await app.settled(other);
    expect([ended.returnvalue, splits()]).toEqual([{ processed: 6, skipped: 0 }, 4]);
    expect([story[0], story.slice(1, -1).sort(), story.at(-1)]).toEqual(['start', [...'xxxzzz'], 'complete 6']);
  });

  it('R27: redrive retries the failed parts first, and the job finishes what is left', async () => {
    const { type, story, script } = partedProcessor({ each: throwFor('d') });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['abc', 'xdy', 'ef'] }));
    expect(await job.getState()).toBe('failed');
    script.each = () => {};
    story.length = 0;
    expect((await app.iterations.redrive(job)).id).toBe(job.id);
    const ended = await app.settled(job, ['completed']);
    expect([ended.returnvalue, story]).toEqual([{ processed: 8, skipped: 0 }, ['d', 'y', 'complete 8']]);
  });

  it("R27: with partFailure 'continue', redrive retries the parts that the result names", async () => {
    const { type, story, script } = partedProcessor({ each: throwFor('d') }, { partFailure: 'continue' });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['abc', 'xdy'] }));
    const { failedParts } = job.returnvalue as { failedParts: string[] };
    script.each = () => {};
    story.length = 0;
    await app.iterations.redrive(job);
    await until(
      'the part is complete',
      async () => (await app.queue().getJobState(failedParts[0] as string)) === 'completed',
    );
    expect([story, await job.getState()]).toEqual([['d', 'y'], 'completed']);
  });

  it('R24: the dead letters of all parts are those of the job, and are redriven in their parts', async () => {
    const { type, story, script } = partedProcessor({ each: throwFor('x') }, { itemFailure: { then: 'skip' } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['axb', 'cd', 'xex'] }));
    expect(job.returnvalue).toEqual({ processed: 5, skipped: 3 });
    const letters = await app.iterations.deadLetters(job);
    expect(letters.map(({ job: of, cursor }) => [of.id, cursor])).toEqual([
      [job.id, 1],
      [job.id, 0],
      [job.id, 2],
    ]);
    const seen: unknown[] = [];
    script.each = (letter, { part }) => void seen.push([letter, part]);
    story.length = 0;
    const redriven = await app.settled(await app.iterations.redrive(job));
    expect(redriven.returnvalue).toEqual({ processed: 3, skipped: 0 });
    expect(seen).toEqual([
      ['x', 'axb'],
      ['x', 'xex'],
      ['x', 'xex'],
    ]);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it('R24: the dead letters of a part that are redriven with those of its job are handled once', async () => {
    const { type, story, script } = partedProcessor({ each: throwFor('x') }, { itemFailure: { then: 'skip' } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['axb', 'xex'] }));
    const part = { queue: 'jobs', id: `${job.id}-${job.timestamp}-0-part-1` };
    expect(await app.iterations.deadLetters(part)).toHaveLength(2);
    const held = new Gate();
    script.each = () => held.wait();
    story.length = 0;
    const redriven = await app.iterations.redrive(job);
    await held.reached;
    expect((await app.iterations.redrive(part)).id).toBe(redriven.id);
    held.open();
    await app.settled(redriven);
    expect([story.filter((word) => word.length === 1), await app.iterations.deadLetters(job)]).toEqual([
      [...'xxx'],
      [],
    ]);
  });

  it('R27: a cursor for a job in parts is refused', async () => {
    const { type } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    await expect(app.iterations.enqueue(type, { parts: [] }, { cursor: 3 })).rejects.toThrow('its jobs have parts');
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab'] }));
    await expect(app.iterations.restart(job, { cursor: 1 })).rejects.toThrow('has parts, each with cursors of its own');
  });
});
