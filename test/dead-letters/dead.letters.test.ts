import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { type Cursor, JobStateError } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { Hold, type Script, type StoryProcessor, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

/** A handler that throws for the bad letters. */
const badLetters =
  (bad: Set<string>) =>
  async (letter: string): Promise<void> => {
    if (bad.has(letter)) throw new Error(`bad ${letter}`);
  };

const skipping = (script: Script, options: object = {}) =>
  storyProcessor(script, { itemFailure: { then: 'skip', backoffMs: 0 }, ...options });

const handled = ({ story }: StoryProcessor) => story.filter((event) => event.length === 1).join('');

const cursorsOf = async (app: TestApp, id: string) =>
  (await app.iterations.deadLetters({ queue: 'jobs', id })).map(({ cursor }) => cursor);

describeQueues('dead letters', BACKENDS, (queues) => {
  it('R24: redrive handles exactly the items of the dead letters, and removes the letters', async () => {
    const bad = new Set('ace');
    const seen: unknown[] = [];
    const processor = skipping({
      build: ({ cursor, data, job, signal }, enumerators) => {
        seen.push([job.name, signal.aborted]);
        return enumerators.array([...(data.letters ?? '')], { cursor });
      },
      each: badLetters(bad),
    });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.queue().add('story', { letters: 'abcde' }, { jobId: 'first', attempts: 4 });
    await app.settled(job);
    expect(await app.iterations.deadLetters(job)).toHaveLength(3);

    bad.clear();
    processor.story.length = 0;
    const redriven = await app.settled(await app.iterations.redrive(job));
    expect(processor.story).toEqual(['start', 'a', 'c', 'e', 'complete', 'end complete']);
    expect([redriven.returnvalue, redriven.opts.attempts, redriven.name]).toEqual([
      { processed: 3, skipped: 0 },
      4,
      'story',
    ]);
    expect(await app.iterations.status(redriven)).toMatchObject({ size: 3, percent: 100 });
    expect(await app.iterations.deadLetters(job)).toEqual([]);
    expect(new Set(seen.map(String))).toEqual(new Set(['story,false']));
    await expect(app.iterations.redrive(job)).rejects.toThrow(JobStateError);
    await expect(app.iterations.redrive(job)).rejects.toThrow('has no dead letters: there is nothing to redrive');
  });

  it.each<[string, unknown, string, ((item: never) => string)?]>([
    ['its JSON', { id: 7, name: 'Ann' }, '{"id":7,"name":"Ann"}'],
    ['a bigint as text', { id: 2n ** 60n }, '{"id":"1152921504606846976"}'],
    ['what JSON has not, in words', Symbol('x'), 'Symbol(x)'],
    ['at most 1,024 characters', 'x'.repeat(5_000), `"${'x'.repeat(1_023)}`],
    ['what PostgreSQL cannot keep, replaced', 'a\u0000', 'a\ufffd', (item: string) => item],
    ['what describe returns', { id: 7 }, 'customer 7', ({ id }: { id: number }) => `customer ${id}`],
    ['its JSON where describe fails', { id: 7 }, '{"id":7}', (item: { name: string }) => item.name.trim()],
  ])('R24: a dead letter describes its item for people: %s', async (_, item, summary, describe) => {
    const { type } = skipping(
      {
        build: () => [[item, 0]],
        each: () => {
          throw new Error('bad row');
        },
      },
      describe ? { describe } : {},
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, {}));
    expect(await app.iterations.deadLetters(job)).toMatchObject([{ summary }]);
  });

  it('R24: an item that fails in a redrive becomes a dead letter of the same job again', async () => {
    const bad = new Set('ac');
    const hooks: unknown[] = [];
    const processor = skipping({
      each: badLetters(bad),
      hook: (event, { item }, detail) => {
        if (event.startsWith('skip'))
          hooks.push([(detail as { item: unknown; cursor: Cursor }).item, item, (detail as { cursor: Cursor }).cursor]);
      },
    });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    const before = await app.iterations.deadLetters(job);
    bad.delete('a');
    const again = await app.settled(await app.iterations.redrive(job));
    expect(again.returnvalue).toEqual({ processed: 1, skipped: 1 });
    expect(hooks).toEqual([
      ['a', 'a', 0],
      ['c', 'c', 2],
      ['c', 'c', 2],
    ]);

    const left = await app.iterations.deadLetters(job);
    expect(left).toEqual([
      { ...before[1], tries: 2, at: expect.any(String), error: { ...before[1]?.error, stack: expect.any(String) } },
    ]);
    expect(await app.iterations.deadLetters(again)).toEqual(left);

    bad.clear();
    const last = await app.settled(await app.iterations.redrive(again));
    expect([last.returnvalue, last.id === again.id]).toEqual([{ processed: 1, skipped: 0 }, false]);
    expect(handled(processor)).toBe('bac');
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it("R24: a redrive without then: 'skip' fails as any job, keeps its letters and can be repeated", async () => {
    const bad = new Set('bc');
    const first = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [first.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcd' }, { attempts: 2 }));
    await app.close();

    bad.delete('b');
    const second = storyProcessor({ each: badLetters(bad) });
    const other = await queues.start({ processors: [second.type] });
    const failed = await other.settled(await other.iterations.redrive(job));
    expect([failed.failedReason, failed.attemptsMade]).toEqual(['bad c', 2]);
    expect(await cursorsOf(other, job.id as string)).toEqual([2]);
    bad.clear();
    await other.settled(await other.iterations.redrive(job));
    expect(handled(second)).toBe('bc');
    expect(await cursorsOf(other, job.id as string)).toEqual([]);
  });

  it('R24: redrive returns the job of the redrive that has not ended', async () => {
    const bad = new Set('ab');
    const [inItem, atEnd] = [new Gate(), new Gate()];
    const processor = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    processor.script.each = (letter) => (letter === 'b' ? inItem.wait() : Promise.resolve());
    processor.script.hook = (event) => (event === 'complete' ? atEnd.wait() : undefined);
    const redriven = await app.iterations.redrive(job);
    await inItem.reached;
    expect((await app.iterations.redrive(job)).id).toBe(redriven.id);
    expect((await app.iterations.redrive(redriven)).id).toBe(redriven.id);
    inItem.open();
    await atEnd.reached;
    expect(await cursorsOf(app, job.id as string)).toEqual([]);
    expect((await app.iterations.redrive(job)).id).toBe(redriven.id);
    atEnd.open();
    await app.settled(redriven);
    expect(handled(processor)).toBe('cab');
    await expect(app.iterations.redrive(job)).rejects.toThrow(JobStateError);
  });

  it('R24: an interrupted redrive resumes with the rest, and keeps the letters that failed', async () => {
    const bad = new Set('abcd');
    const processor = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcde' }));
    bad.delete('b');
    bad.delete('c');
    const hold = new Hold('b');
    processor.script.each = async (letter, context) => {
      await badLetters(bad)(letter);
      await hold.each(letter, context);
    };
    const redriven = await app.iterations.redrive(job);
    await hold.reached;
    await app.close();
    processor.script.each = badLetters(bad);
    const second = await queues.start({ processors: [processor.type] });
    expect((await second.settled(redriven)).returnvalue).toEqual({ processed: 2, skipped: 2 });
    expect(handled(processor)).toBe('ebc');
    expect(await cursorsOf(second, job.id as string)).toEqual([0, 3]);
  });

  it('R24: dead letters outlive a job that is removed on completion, and can be redriven', async () => {
    const bad = new Set('b');
    const processor = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.queue().add('story', { letters: 'abc' }, { removeOnComplete: true });
    const gone = () => until('the job is removed', async () => !(await app.queue().getJob(job.id as string)));
    await gone();
    expect(await cursorsOf(app, job.id as string)).toEqual([1]);
    bad.clear();
    await app.settled(await app.iterations.redrive({ queue: 'jobs', id: job.id as string }));
    expect(handled(processor)).toBe('acb');
    expect(await cursorsOf(app, job.id as string)).toEqual([]);
  });

  it('R24: jobs with the same id are redriven separately, each with its own data', async () => {
    const bad = new Set('bx');
    const processor = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [processor.type] });
    for (const letters of ['abc', 'xyz']) {
      const job = await app.queue().add('story', { letters }, { jobId: 'again', removeOnComplete: true });
      await until('the job is removed', async () => !(await app.queue().getJob(job.id as string)));
    }
    expect(await cursorsOf(app, 'again')).toEqual([1, 0]);
    bad.clear();
    const ref = { queue: 'jobs', id: 'again' };
    for (const left of [[1], []]) {
      const redriven = await app.iterations.redrive(ref);
      await until('the redrive has ended', async () => ['unknown', 'completed'].includes(await redriven.getState()));
      expect(await cursorsOf(app, 'again')).toEqual(left);
    }
    expect(handled(processor)).toBe('acyzxb');
  });
});

describeQueues('dead letters in detail', ['redis'], (queues) => {
  it('R10: a redrive of letters of another processor version fails and keeps the letters', async () => {
    const bad = new Set('b');
    const old = skipping({ each: badLetters(bad) }, { version: 1 });
    const app = await queues.start({ processors: [old.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    await app.close();
    bad.clear();
    for (const onChange of ['fail', 'restart', ({ cursor }: { cursor: Cursor }) => (cursor as number) + 1] as const) {
      const next = skipping({ each: badLetters(bad) }, { version: 2, onChange });
      const other = await queues.start({ processors: [next.type] });
      const failed = await other.settled(await other.iterations.redrive(job));
      expect(failed.failedReason).toContain('made by version 1 of the processor, which is now 2');
      expect([handled(next), await cursorsOf(other, job.id as string)]).toEqual(['', [1]]);
      await other.close();
    }
  });

  it('R24: dead letters are listed in order; start and end count as in BullMQ', async () => {
    const processor = skipping({ each: badLetters(new Set('abcde')) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcde' }));
    const listed = async (start?: number, end?: number) =>
      (await app.iterations.deadLetters(job, { start, end })).map(({ cursor }) => cursor);
    expect(await listed()).toEqual([0, 1, 2, 3, 4]);
    expect(await listed(1, 2)).toEqual([1, 2]);
    expect(await listed(3)).toEqual([3, 4]);
    expect(await listed(0, 0)).toEqual([0]);
    expect(await listed(-2)).toEqual([3, 4]);
    expect(await listed(0, -2)).toEqual([0, 1, 2, 3]);
    expect(await listed(9)).toEqual([]);
    expect(await app.iterations.deadLetters({ queue: 'jobs', id: 'nobody' })).toEqual([]);
  });

  it('R24: a job of a scheduler whose id contains colons can skip items', async () => {
    const processor = skipping({ each: badLetters(new Set('b')) });
    const app = await queues.start({ processors: [processor.type] });
    await app
      .queue()
      .upsertJobScheduler('of:the:night', { every: 60_000, limit: 1 }, { name: 'story', data: { letters: 'abc' } });
    const completed = () => app.queue().getJobs(['completed']) as Promise<Job[]>;
    const job = await until('the job has completed', async () => (await completed())[0]);
    expect(await cursorsOf(app, job.id as string)).toEqual([1]);
  });

  it('R24: dead letters are found in a paused queue, and beyond one page', async () => {
    const processor = skipping({ each: badLetters(new Set('b')) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    const Type = app.queue().constructor as new (name: string, options: object) => ReturnType<TestApp['queue']>;
    const letters = new Type('jobs-dead-letters', app.queue().opts);
    const [letter] = (await letters.getJobs(['waiting'])) as Job[];
    const copies = Array.from({ length: 1_200 }, (_, index) => ({
      name: 'story',
      data: { ...letter?.data, id: `copy-${index}`, order: [letter?.data.order[0], 0, index + 2], cursor: index },
      opts: { jobId: `copy-${index}` },
    }));
    await letters.addBulk(copies);
    await letters.pause();
    const cursors = await cursorsOf(app, job.id as string);
    expect(cursors).toEqual([1, ...Array.from({ length: 1_200 }, (_, index) => index)]);
    await letters.close();
  });
  it("R24: a redrive of a removed job uses the queue's default options", async () => {
    const bad = new Set('b');
    const processor = skipping({ each: badLetters(bad) });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.queue().add('story', { letters: 'abc' }, { removeOnComplete: true });
    await until('the job is removed', async () => !(await app.queue().getJob(job.id as string)));
    Object.assign((app.queue() as unknown as { jobsOpts: object }).jobsOpts, { attempts: 7 });
    const redriven = await app.iterations.redrive({ queue: 'jobs', id: job.id as string });
    expect(redriven.opts.attempts).toBe(7);
    await app.settled(redriven);
  });

  it('R24: a dead letter whose item is gone is reported and kept', async () => {
    const letters = [...'abcd'];
    const bad = new Set('bd');
    const processor = skipping({
      build: ({ cursor }, enumerators) =>
        enumerators.keyset({
          cursor: cursor as string | null,
          fetch: async (after, limit) => letters.filter((letter) => after === null || letter > after).slice(0, limit),
          key: (letter) => letter,
        }),
      each: badLetters(bad),
    });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', {}));
    letters.splice(1, 1);
    bad.clear();
    const redriven = await app.settled(await app.iterations.redrive(job));
    expect(redriven.returnvalue).toEqual({ processed: 1, skipped: 1 });
    expect(handled(processor)).toBe('acd');
    expect(await app.iterations.deadLetters(job)).toEqual([
      expect.objectContaining({
        before: 'a',
        cursor: 'b',
        tries: 2,
        error: expect.objectContaining({ name: 'ItemGoneError', message: expect.stringContaining('"b"') }),
      }),
    ]);
  });
});
