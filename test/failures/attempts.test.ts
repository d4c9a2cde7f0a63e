import { BullModule } from '@nestjs/bullmq';
import { Worker as BullWorker, FlowProducer, type Job, QueueEvents } from 'bullmq';
import { afterEach, expect, it } from 'vitest';
import { WorkerRegistrar } from '../../lib/worker/worker.registrar.js';
import { BACKENDS, describeQueues, type Queues } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('interruptions and attempts', BACKENDS, (queues) => {
  afterEach(() => {
    BullModule.workerClass = BullWorker;
  });

  it('R4: a shutdown before a run begins puts the job back untouched and calls no builder', async () => {
    let built = 0;
    const { type, story } = storyProcessor({
      build: ({ cursor }, enumerators) => {
        built++;
        return enumerators.array(['a'], { cursor });
      },
    });
    let onActive = () => {};
    BullModule.workerClass = class extends BullWorker {
      constructor(...args: ConstructorParameters<typeof BullWorker>) {
        super(...args);
        this.on('active', () => onActive()); // the job is fetched but not yet processed
      }
    } as typeof BullWorker;
    const app = await queues.start({ processors: [type] });
    const drained = new Promise<void>((resolve) => {
      onActive = () => resolve(app.nest.get(WorkerRegistrar).onModuleDestroy());
    });
    const job = await app.queue().add('story', {});
    await drained;

    const put = (await app.queue().getJob(job.id as string)) as Job;
    expect(await put.getState()).toBe('waiting');
    expect({ built, story, attemptsMade: put.attemptsMade }).toEqual({ built: 0, story: [], attemptsMade: 0 });
    expect(put.progress || 0).toBe(0);
  });

  it('R5: an interruption uses no attempt, emits no failed event, and keeps the data and options', async () => {
    const events = await endEvents(queues);
    const hold = new Hold('b');
    const { type } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    const options = { jobId: 'kept', priority: 7, attempts: 3, backoff: { type: 'fixed', delay: 1 } };
    const job = await app.queue().add('story', { letters: 'abc', keep: 'me' }, options);
    await hold.reached;
    await app.close();

    const reader = await queues.start({ iteration: { workers: false } });
    const put = (await reader.queue().getJob('kept')) as Job;
    expect(await put.getState()).toBe('prioritized');
    expect(put).toMatchObject({
      id: 'kept',
      data: job.data,
      priority: 7,
      attemptsMade: 0,
      opts: { attempts: 3, priority: 7 },
    });
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);
    await until('QueueEvents reports the completion', () => events.seen.includes('completed kept'));
    expect(events.seen).toEqual(['completed kept']);
    await events.close();
  });

  it('R5: a job with attempts still retries an error after five interruptions', async () => {
    let yields = 0;
    let failures = 1;
    const { type, story } = storyProcessor({
      each: (_letter, context) => {
        if (yields < 5) {
          yields++;
          context.retryIn(0);
        } else if (failures-- > 0) {
          throw new Error('flaky');
        }
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcdefgh' }, { attempts: 2 }));

    expect(await job.getState()).toBe('completed');
    expect(story.filter((event) => event === 'interrupt retryIn').length).toBe(5);
    expect(story.filter((event) => event.length === 1).join('')).toBe('abcdefgh');
  });

  it('R5: adding a job with deduplication.replace does not delete an interrupted job', async () => {
    const { type, story } = storyProcessor({
      each: (letter, context) => {
        if (letter === 'a') context.retryIn(600_000);
      },
    });
    const app = await queues.start({ processors: [type] });
    const deduplication = { id: 'only-one', replace: true, ttl: 60_000 };
    const first = await app.queue().add('story', { letters: 'abc' }, { deduplication });
    await app.settled(first, ['delayed']);
    const second = await app.queue().add('story', { letters: 'xyz' }, { deduplication });
    await first.promote();

    await Promise.all([app.settled(first), app.settled(second)]);
    expect(
      story
        .filter((event) => event.length === 1)
        .sort()
        .join(''),
    ).toBe('abcxyz');
  });

  it('R5: adding a job with deduplication.replace does not delete a job that waits for its retry', async () => {
    let failures = 1;
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'b' && failures-- > 0) throw new Error('flaky');
      },
    });
    const app = await queues.start({ processors: [type] });
    const deduplication = { id: 'only-one', replace: true };
    const first = await app.queue().add('story', { letters: 'abc' }, { deduplication, attempts: 2, backoff: 600_000 });
    await app.settled(first, ['delayed']);
    const second = await app.queue().add('story', { letters: 'xyz' }, { deduplication });
    await first.promote();

    await Promise.all([app.settled(first), app.settled(second)]);
    expect(
      story
        .filter((event) => event.length === 1)
        .sort()
        .join(''),
    ).toBe('abcxyz');
  });

  it('R5: enqueue refuses deduplication.replace', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    await expect(app.iterations.enqueue(type, {}, { deduplication: { id: 'x', replace: true } })).rejects.toThrow(
      '"deduplication.replace" could delete a job that has started',
    );
  });

  it('R5: an interrupted child of a flow keeps its parent', async () => {
    const hold = new Hold('b');
    const child = storyProcessor({ each: hold.each }, { name: 'child' });
    const parent = storyProcessor({}, { name: 'parent' });
    const processors = [child.type, parent.type];
    const app = await queues.start({ processors });
    const flow = new FlowProducer(queues.place as never);
    const tree = await flow.add({
      name: 'parent',
      queueName: 'jobs',
      data: { letters: 'p' },
      children: [{ name: 'child', queueName: 'jobs', data: { letters: 'abc' } }],
    });
    await hold.reached;
    await app.close();
    const resumed = await queues.start({ processors });
    const done = await resumed.settled(tree.job as Job);

    expect(Object.values(await done.getChildrenValues())).toEqual([{ processed: 3, skipped: 0 }]);
    await flow.close();
  });

  it('a resumed job keeps the data that its handler wrote with job.updateData', async () => {
    const hold = new Hold('b');
    const seen: unknown[] = [];
    const { type, script } = storyProcessor();
    script.each = async (letter, context) => {
      if (letter === 'a') await context.job.updateData({ ...context.data, note: 'written by a' });
      seen.push(context.data.note);
      await hold.each(letter, context);
    };
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abc' });
    await hold.reached;
    await app.close();
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);

    expect(seen).toEqual(['written by a', 'written by a', 'written by a']);
  });

  it('a worker handles jobs added in bulk, delayed, prioritized, LIFO or by a job scheduler', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const queue = app.queue();
    await queue.addBulk([
      { name: 'story', data: { letters: 'a' } },
      { name: 'story', data: { letters: 'b' }, opts: { delay: 20 } },
      { name: 'story', data: { letters: 'c' }, opts: { priority: 3 } },
      { name: 'story', data: { letters: 'd' }, opts: { lifo: true } },
      { name: 'story', data: { letters: 'e' }, opts: { removeOnComplete: true } },
    ]);
    await queue.upsertJobScheduler(
      'each-second',
      { every: 1_000, limit: 1 },
      { name: 'story', data: { letters: 'f' } },
    );

    await until('all six have run', () => story.filter((event) => event === 'end complete').length === 6);

    expect(
      story
        .filter((event) => event.length === 1)
        .sort()
        .join(''),
    ).toBe('abcdef');
  });

  it('R23: a job with attempts: 3 tries an always failing first item of a page three times', async () => {
    let tries = 0;
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.pages<string, number>({
          cursor,
          fetch: async (token) => (token === null ? { items: ['a', 'b'], next: 1 } : { items: ['c'], next: null }),
        }),
      each: (letter) => {
        if (letter !== 'c') return;
        tries++;
        throw new Error('never');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 3 }), ['failed']);
    expect([tries, job.failedReason]).toEqual([3, 'never']);
  });
});

/** Collects the failed and completed events of QueueEvents. */
async function endEvents(queues: Queues): Promise<{ seen: string[]; close: () => Promise<void> }> {
  const seen: string[] = [];
  const events = new QueueEvents('jobs', queues.place as never);
  await events.waitUntilReady();
  events.on('failed', ({ jobId }) => seen.push(`failed ${jobId}`));
  events.on('completed', ({ jobId }) => seen.push(`completed ${jobId}`));
  return { seen, close: () => events.close() };
}
