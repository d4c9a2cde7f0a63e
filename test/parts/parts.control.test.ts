import { Job } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { partedProcessor, throwFor } from '../support/parted.js';
import { until } from '../support/until.js';

const PARTS = ['abc', 'def', 'ghi', 'jkl'];

function letters(story: readonly string[]): string {
  return story
    .filter((word) => word.length === 1)
    .sort()
    .join('');
}

async function partsOf(app: TestApp): Promise<Job[]> {
  const jobs = (await app.queue().getJobs()) as Job[];
  return jobs.filter(({ id = '' }) => id.includes('-part-')).sort((a, b) => String(a.id).localeCompare(String(b.id)));
}

describeQueues('control of a job in parts', BACKENDS, (queues) => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** A job of which all parts run, each until it is asked to stop. */
  async function running() {
    const parted = partedProcessor({
      each: (_, context) => until('the run is asked to stop', () => context.interruption !== undefined),
    });
    const app = await queues.start({ processors: [parted.type] });
    const job = await app.iterations.enqueue(parted.type, { parts: PARTS });
    await until('all parts run', async () => (await app.iterations.status(job)).partStates?.running === 4);
    return { ...parted, app, job };
  }

  it('R28: a job that is paused before its first run adds no part until it is resumed', async () => {
    const { type, story, splits } = partedProcessor();
    const control = await queues.start({ processors: [type], iteration: { workers: false } });
    const job = await control.iterations.enqueue(type, { parts: PARTS });
    await control.iterations.pause(job);
    const app = await queues.start({ processors: [type] });
    await until('a worker has taken it', () => job.isDelayed());
    expect([splits(), story, (await control.iterations.status(job)).state]).toEqual([0, [], 'paused']);
    await control.iterations.resume(job);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 12, skipped: 0 });
  });

  it('R28: a pause that comes while the list of parts is made holds for the job and its parts', async () => {
    const held = new Gate();
    const { type, story, script } = partedProcessor();
    script.split = () => held.wait();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: PARTS });
    await held.reached;
    await app.iterations.pause(job, { by: 'ann' });
    held.open();
    await until('it is paused', async () => (await app.iterations.status(job)).state === 'paused');
    expect(letters(story)).toBe('');
    await app.iterations.resume(job);
    const ended = await app.settled(job);
    expect([ended.returnvalue, letters(story)]).toEqual([{ processed: 12, skipped: 0 }, 'abcdefghijkl']);
  });

  it('R28: cancel reaches parts that are paused, delayed for a retry, and that wait', async () => {
    const { type, story } = partedProcessor({ each: throwFor('ad') }, { worker: { concurrency: 2 } });
    const app = await queues.start({ processors: [type] });
    const options = { attempts: 5, backoff: { type: 'fixed', delay: 3_600_000 } };
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'def'] }, options);
    await until('both parts wait for their retry', async () => (await app.queue().getDelayedCount()) === 2);
    await app.iterations.cancel(job, { by: 'ann', reason: 'no more' });
    const ended = await app.settled(job);
    expect([await ended.getState(), ended.failedReason]).toEqual(['failed', 'The job was cancelled by ann: no more']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'cancelled', partStates: { cancelled: 2 } });
    expect(letters(story)).toBe('');
  });

  it('R28: a paused job is cancelled at once, without a resume', async () => {
    const { app, job, story } = await running();
    await app.iterations.pause(job);
    await until('all parts are paused', async () => (await app.iterations.status(job)).partStates?.paused === 4);
    await app.iterations.cancel(job);
    await app.settled(job);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'cancelled', processed: 4 });
    expect(letters(story)).toBe('adgj');
  });

  it('R28: what a cancellation has ended can be retried by hand: the old request does not hold', async () => {
    const { app, job, script, story } = await running();
    await app.iterations.cancel(job);
    const cancelled = await app.settled(job);
    script.each = () => {};
    await cancelled.retry('failed');
    const ended = await app.settled(job, ['completed']);
    expect(ended.returnvalue).toEqual({ processed: 12, skipped: 0 });
    expect(letters(story)).toBe('abcdefghijkl');
  });

  it('R28: one part can be paused by itself; the others end, and the job waits for it', async () => {
    const { app, job, script, story } = await running();
    const [first] = await partsOf(app);
    const ref = { queue: 'jobs', id: first?.id as string };
    await app.iterations.pause(ref);
    await until('the part is paused', async () => (await app.iterations.status(ref)).state === 'paused');
    await app.iterations.pause(job);
    script.each = () => {};
    await until('all are paused', async () => (await app.iterations.status(job)).partStates?.paused === 4);
    await app.iterations.resume(job);
    await until('the others have ended', async () => (await app.iterations.status(job)).partStates?.completed === 3);
    await until('the part is paused still', async () => (await app.iterations.status(ref)).state === 'paused');
    expect(await job.getState()).toBe('waiting-children');
    await app.iterations.resume(ref);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 12, skipped: 0 });
    expect(letters(story)).toBe('abcdefghijkl');
  });

  it('R31: settings that were tuned before parts were added hold for them', async () => {
    const seen = { now: 0, most: 0 };
    const { type } = partedProcessor(
      {
        each: async () => {
          seen.most = Math.max(seen.most, ++seen.now);
          await new Promise((resolve) => setTimeout(resolve, 5));
          seen.now--;
        },
      },
      { worker: { concurrency: 4 } },
    );
    const control = await queues.start({ processors: [type], iteration: { workers: false } });
    const job = await control.iterations.enqueue(type, { parts: PARTS });
    await control.iterations.tune(job, { itemConcurrency: 2 });
    const app = await queues.start({ processors: [type] });
    await app.settled(job);
    expect(seen.most).toBe(2);
    expect((await app.iterations.status(job)).settings.itemConcurrency).toBe(2);
  });

  it('R29: percent of a job in parts never falls, and each part counts the same', async () => {
    const { type } = partedProcessor({ each: () => new Promise((resolve) => setTimeout(resolve, 2)) });
    const app = await queues.start({ processors: [type], iteration: { checkpoint: { everyMs: 20 } } });
    const parts = ['a'.repeat(300), 'b'.repeat(30), 'c'.repeat(3), '', 'd'.repeat(100)];
    const job = await app.iterations.enqueue(type, { parts });
    const seen: number[] = [];
    await until('the job is complete', async () => {
      const { percent = 0 } = await app.iterations.status(job);
      seen.push(percent);
      return job.isCompleted();
    });
    expect(seen.every((percent, index) => percent >= (seen[index - 1] ?? 0))).toBe(true);
    expect((await app.iterations.status(job)).percent).toBe(100);
  });

  it('R28: a job that is cancelled in its start hook handles no item, and adds no part', async () => {
    const { type, story, script } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const held = new Gate();
    script.start = () => held.wait();
    const job = await app.iterations.enqueue(type, { parts: ['ab', 'cd', 'ef'] });
    await held.reached;
    await app.iterations.cancel(job, 'wrong list');
    held.open();
    const ended = await app.settled(job);
    expect([ended.failedReason, story]).toEqual(['The job was cancelled: wrong list', ['start']]);
    expect(await app.queue().getJobCountByTypes()).toBe(1);
  });

  it('R28: a job that is resumed only in one of its parts stays paused', async () => {
    const { app, job, script, story } = await running();
    await app.iterations.pause(job);
    await until('all parts are paused', async () => (await app.iterations.status(job)).partStates?.paused === 4);
    const [first] = await partsOf(app);
    script.each = () => {};
    await app.iterations.resume({ queue: 'jobs', id: first?.id as string });
    await until('the part has been looked at', async () => (await app.queue().getDelayedCount()) === 4);
    expect([letters(story), (await app.iterations.status(job)).state]).toEqual(['adgj', 'paused']);
    await app.iterations.resume(job);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 12, skipped: 0 });
  });

  it('R28: a part that is parked again, while it is resumed alone, is woken by the resume of its job', async () => {
    const { app, job, script } = await running();
    await app.iterations.pause(job);
    await until('all parts are delayed', async () => (await app.queue().getDelayedCount()) === 4);
    const [first] = await partsOf(app);
    script.each = () => {};
    const { promote } = Job.prototype;
    vi.spyOn(Job.prototype, 'promote').mockImplementationOnce(async function (this: Job) {
      const { processedOn } = this;
      await promote.call(this);
      await until('the next run has parked it', async () => {
        const now = (await app.queue().getJob(this.id as string)) as Job;
        return now.processedOn !== processedOn && (await now.isDelayed());
      });
    });
    await app.iterations.resume({ queue: 'jobs', id: first?.id as string });
    expect(vi.mocked(Job.prototype.promote)).toHaveBeenCalled();
    await app.iterations.resume(job);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 12, skipped: 0 });
  });

  it('R28: a cancellation that is withdrawn while some parts have ended by it: they resume, too', async () => {
    const { type, story, script } = partedProcessor({
      each: (_, context) => until('the run is asked to stop', () => context.interruption !== undefined),
    });
    const [held, stubborn] = [new Gate(), { is: true }];
    const { each } = script;
    script.each = (letter, context) => (letter === 'a' && stubborn.is ? held.wait() : each?.(letter, context));
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: PARTS });
    await until('all parts run', async () => (await app.iterations.status(job)).partStates?.running === 4);
    await app.iterations.cancel(job);
    await until('three are cancelled', async () => (await app.iterations.status(job)).partStates?.cancelled === 3);
    await app.iterations.resume(job);
    script.each = () => {};
    stubborn.is = false;
    held.open();
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 12, skipped: 0 });
    expect(letters(story)).toBe('abcdefghijkl');
  });
});
