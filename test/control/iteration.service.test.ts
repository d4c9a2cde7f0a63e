import { hostname } from 'node:os';
import { type Job, Queue } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { statusOf } from '../../lib/control/status.js';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  InvalidCursorError,
  InvalidOptionsError,
  InvalidProcessorError,
  type IterationStatus,
  IterativeProcessor,
  JobNotFoundError,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

@IterativeProcessor({ queue: 'jobs' })
class EveryName {
  @BuildEnumerator() build({ cursor: _ }: BuildContext<{ plan: string }>) {
    return [['a', 0]] as const;
  }
  @EachIteration() each() {}
}

describeQueues('enqueue', BACKENDS, (queues) => {
  it("enqueue adds a job with the processor's name, its data and BullMQ's options, and returns the job", async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type], iteration: { workers: false } });
    const job = await app.iterations.enqueue(type, { letters: 'xy' }, { jobId: 'mine', attempts: 4, priority: 3 });
    const added = (await app.queue().getJob('mine')) as Job;
    for (const each of [job, added]) {
      expect(each).toMatchObject({ id: 'mine', name: 'story', queueName: 'jobs', data: { letters: 'xy' } });
      expect(each.opts).toMatchObject({ attempts: 4, priority: 3 });
      expect(each.opts).not.toHaveProperty('cursor');
    }
    expect((await app.iterations.enqueue(type, { letters: 'other' }, { jobId: 'mine' })).id).toBe('mine');
    expect(await app.queue().getJobCounts()).toMatchObject({ prioritized: 1, waiting: 0 });
  });

  it('enqueue names the job of an unnamed processor after its class; data defaults to {}', async () => {
    const app = await queues.start({ processors: [EveryName] });
    const job = await app.iterations.enqueue(EveryName, { plan: 'pro' });
    expect([job.name, job.data]).toEqual(['EveryName', { plan: 'pro' }]);
    const { returnvalue } = await app.settled(job);
    expect(returnvalue).toEqual({ processed: 1, skipped: 0 });
    expect((await app.iterations.enqueue(storyProcessor().type)).data).toEqual({});
  });

  it('enqueue takes the delay of BullMQ: the job waits, and runs when it is promoted', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'a' }, { delay: 60_000 });
    expect(await app.iterations.status(job)).toMatchObject({ state: 'waiting', run: 0 });
    await job.promote();
    await app.settled(job);
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
  });

  it('enqueue stores the job and its cursor in one step', async () => {
    const { type, story } = storyProcessor();
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.iterations.enqueue(type, { letters: 'abcd' }, { cursor: 1 });
    expect(await producer.iterations.status(job)).toMatchObject({ state: 'waiting', cursor: 1, processed: 0 });
    const stored = (await producer.queue().getJob(job.id as string)) as Job;
    expect(stored.opts).toMatchObject({ iterationCursorText: '1' });
    expect(stored.progress).toBe(0);
    const app = await queues.start({ processors: [type] });
    await app.settled(job);
    expect(story).toEqual(['start', 'c', 'd', 'complete', 'end complete']);
  });

  it.each([null, undefined])('a job enqueued with cursor %s starts from the beginning', async (cursor) => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, { letters: 'a' }, { cursor }));
    expect(story[1]).toBe('a');
  });

  it('R8: enqueue refuses a cursor that JSON would change, and adds no job', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const enqueued = app.iterations.enqueue(type, {}, { cursor: { at: new Date(0) } as never });
    await expect(enqueued).rejects.toThrow(InvalidCursorError);
    await expect(enqueued).rejects.toThrow('cursor.at is a Date');
    expect(await app.queue().getJobCountByTypes('waiting', 'active', 'completed', 'failed', 'delayed')).toBe(0);
  });

  it('R5: enqueue refuses deduplication.replace, which could delete a job that has started', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type], iteration: { workers: false } });
    const replacing = app.iterations.enqueue(type, {}, { deduplication: { id: 'one', ttl: 1_000, replace: true } });
    await expect(replacing).rejects.toThrow(InvalidOptionsError);
    await expect(replacing).rejects.toThrow(
      'enqueue(Story): "deduplication.replace" could delete a job that has started',
    );
    await app.iterations.enqueue(type, {}, { deduplication: { id: 'one' } });
    await app.iterations.enqueue(type, {}, { deduplication: { id: 'one' } });
    expect(await app.queue().getWaitingCount()).toBe(1);
  });

  it.each<[string, unknown, string]>([
    ['an undecorated class', class Plain {}, 'Plain: it is no processor: decorate it with @IterativeProcessor'],
    ['undefined', undefined, 'undefined: it is no processor: decorate it with @IterativeProcessor'],
    ['a name', 'story', '"story": it is no processor: decorate it with @IterativeProcessor'],
    ['an instance', new EveryName(), 'an EveryName: it is no processor: decorate it with @IterativeProcessor'],
  ])('enqueue refuses %s as the processor', async (_, processor, message) => {
    const app = await queues.start({});
    const error: unknown = await app.iterations.enqueue(processor as never).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(InvalidProcessorError);
    expect((error as Error).message).toBe(message);
  });

  it('enqueue refuses a processor whose queue is not registered, and says how to register it', async () => {
    const { type } = storyProcessor({}, { queue: 'elsewhere' });
    const app = await queues.start({});
    const enqueued = app.iterations.enqueue(type, {});
    await expect(enqueued).rejects.toThrow(InvalidOptionsError);
    await expect(enqueued).rejects.toThrow(
      'The queue "elsewhere" is not registered in this application: BullModule.registerQueue({ name: \'elsewhere\' })',
    );
  });

  it('enqueue refuses a processor that no module provides, when the application handles its queue', async () => {
    const [story, other] = [storyProcessor(), storyProcessor({}, { name: 'other' })];
    const app = await queues.start({ processors: [story.type] });
    await expect(app.iterations.enqueue(other.type)).rejects.toThrow(
      'it is no provider of any module, though this application handles its queue "jobs"',
    );
    const web = await queues.start({});
    expect((await web.iterations.enqueue(other.type)).name).toBe('other');
  });
});

describeQueues('status', BACKENDS, (queues) => {
  const workers = recordWorkers();
  const others: Queue[] = [];
  afterEach(async () => void (await Promise.all(others.splice(0).map((queue) => queue.close()))));

  async function stateOf(app: TestApp, job: Job): Promise<IterationStatus> {
    const status = await app.iterations.status(job);
    expect(await app.iterations.status({ queue: 'jobs', id: job.id as string })).toEqual(status);
    return status;
  }

  const fresh = {
    queue: 'jobs',
    name: 'story',
    cursor: null,
    processed: 0,
    skipped: 0,
    size: undefined,
    percent: undefined,
    itemsPerSecond: undefined,
    overallItemsPerSecond: undefined,
    etaMs: undefined,
    run: 0,
    interruptions: 0,
    stalls: 0,
    runtimeMs: 0,
    readingMs: 0,
    handlingMs: 0,
    failures: 0,
    lastInterruption: undefined,
    failedReason: undefined,
    worker: undefined,
    settings: { itemConcurrency: 1 },
  };

  it.each<[string, object]>([
    ['waiting', {}],
    ['delayed', { delay: 100_000 }],
    ['prioritized', { priority: 1 }],
  ])('R29: the status of a %s job is waiting before its first run', async (_, options) => {
    const app = await queues.start({});
    const job = await app.queue().add('story', {}, options);
    expect(await stateOf(app, job)).toEqual({ ...fresh, id: job.id, state: 'waiting' });
  });

  it('R29: status is running with its last checkpoint and worker, then interrupted, then completed', async () => {
    const hold = new Hold('c');
    const { type, script } = storyProcessor({ each: hold.each }, { checkpoint: { everyItems: 1 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abcd' });
    await hold.reached;
    expect(await stateOf(app, job)).toMatchObject({
      state: 'running',
      cursor: 1,
      processed: 2,
      size: 4,
      percent: 50,
      run: 1,
      interruptions: 0,
      lastInterruption: undefined,
      worker: `${hostname()}:${process.pid}`,
    });
    await app.close();

    const between = await queues.start({});
    expect(await stateOf(between, job)).toMatchObject({
      state: 'interrupted',
      cursor: 2,
      processed: 3,
      percent: 75,
      run: 1,
      interruptions: 1,
      lastInterruption: { reason: 'shutdown' },
      failedReason: undefined,
      worker: undefined,
    });

    script.each = undefined;
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);
    expect(await stateOf(resumed, job)).toMatchObject({
      state: 'completed',
      cursor: 3,
      processed: 4,
      percent: 100,
      etaMs: 0,
      run: 2,
      interruptions: 1,
      lastInterruption: { reason: 'shutdown' },
      worker: undefined,
    });
  });

  it('R29: status is interrupted during retryIn and while the job waits for its next attempt', async () => {
    const retrying = storyProcessor({ each: (_letter, context) => context.retryIn(100_000) });
    const failing = storyProcessor(
      {
        each: () => {
          throw new Error('later');
        },
      },
      { name: 'failing' },
    );
    const app = await queues.start({ processors: [retrying.type, failing.type] });
    const parked = await app.queue().add('story', { letters: 'ab' });
    await app.settled(parked, ['delayed']);
    expect(await stateOf(app, parked)).toMatchObject({
      state: 'interrupted',
      processed: 1,
      lastInterruption: { reason: 'retryIn', retryInMs: 100_000 },
    });
    const tried = await app.queue().add('failing', {}, { attempts: 3, backoff: { type: 'fixed', delay: 100_000 } });
    await app.settled(tried, ['delayed']);
    expect(await stateOf(app, tried)).toMatchObject({ state: 'interrupted', failures: 1, failedReason: undefined });
  });

  it('R29: the status of a failed job has the reason and no etaMs', async () => {
    const { type } = storyProcessor({
      each: (letter) => {
        if (letter === 'c') throw new Error('no good');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcd' }));
    expect(await stateOf(app, job)).toMatchObject({
      state: 'failed',
      failedReason: 'no good',
      failures: 1,
      cursor: 1,
      percent: 50,
      etaMs: undefined,
      worker: undefined,
    });
  });

  it('R23: a completed job that is retried by hand has the status of a fresh job', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { letters: 'abcd' }, { cursor: 0 }));
    await app.close();
    const reader = await queues.start({});
    await ((await reader.queue().getJob(job.id as string)) as Job).retry('completed');
    expect(await stateOf(reader, job)).toEqual({ ...fresh, id: job.id, state: 'waiting', cursor: 0 });
  });

  it('R23: a failed job that is retried by hand is interrupted at its cursor, with a fresh budget', async () => {
    const { type } = storyProcessor({
      each: (letter) => {
        if (letter === 'c') throw new Error('no good');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abcd' }));
    await app.close();
    const reader = await queues.start({});
    await ((await reader.queue().getJob(job.id as string)) as Job).retry('failed');
    expect(await stateOf(reader, job)).toMatchObject({
      state: 'interrupted',
      cursor: 1,
      processed: 2,
      percent: 50,
      failures: 0,
      failedReason: undefined,
    });
  });

  it('R29: the status of a job that BullMQ cancelled is cancelled, with the reason', async () => {
    const hold = new Hold('b');
    const { type } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await hold.reached;
    for (const worker of workers) worker.cancelJob(job.id as string, 'not wanted');
    await app.settled(job);
    expect(await stateOf(app, job)).toMatchObject({
      state: 'cancelled',
      failedReason: 'The job was cancelled: not wanted',
      etaMs: undefined,
    });
  });

  it('status takes a job from another Queue instance', async () => {
    const app = await queues.start({});
    const queue = new Queue('jobs', queues.place as never);
    others.push(queue);
    const job = await queue.add('story', {});
    expect(await stateOf(app, job)).toMatchObject({ state: 'waiting' });
  });

  it('a handler reads the status of its own job', async () => {
    const statuses: IterationStatus[] = [];
    const { type, script } = storyProcessor({}, { checkpoint: { everyItems: 1 } });
    const app = await queues.start({ processors: [type] });
    script.each = async (_letter, { job }) => void statuses.push(await app.iterations.status(job as Job));
    await app.settled(await app.queue().add('story', { letters: 'ab' }));
    expect(statuses.map(({ state, processed }) => [state, processed])).toEqual([
      ['running', 0],
      ['running', 1],
    ]);
  });

  it('status throws JobNotFoundError for a job that never existed or was removed', async () => {
    const app = await queues.start({});
    const job = await app.queue().add('story', {});
    await job.remove();
    for (const ref of [job, { queue: 'jobs', id: 'never' }]) {
      const error: unknown = await app.iterations.status(ref).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(JobNotFoundError);
      expect(error).toMatchObject({
        queue: 'jobs',
        id: ref.id,
        message: `Queue "jobs" has no job "${ref.id}": it never existed, or was removed (see removeOnComplete)`,
      });
    }
    await expect(app.iterations.status({ queue: 'elsewhere', id: '1' })).rejects.toThrow(
      'The queue "elsewhere" is not registered in this application',
    );
  });

  it('R29: percent never falls, even with more items than counted, and is 100 when completed', async () => {
    const percents: (number | undefined)[] = [];
    const { type, script } = storyProcessor(
      {
        build: ({ cursor }, enumerators) =>
          enumerators.from(
            [...'abcdef'].map((letter, index) => [letter, index] as const).slice(((cursor as number) ?? -1) + 1),
            { size: () => 4 },
          ),
      },
      { checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    script.each = async (_letter, { job, run, processed }) => {
      percents.push((await app.iterations.status(job as Job)).percent);
      if (processed === 2 && run === 1) throw new Error('once');
    };
    const job = await app.queue().add('story', {}, { attempts: 2 });
    await app.settled(job);
    expect(percents).toEqual([0, 25, 50, 50, 75, 100, 100]);
    expect(await stateOf(app, job)).toMatchObject({ percent: 100, processed: 6, size: 4 });
  });

  it("R29: percent and etaMs are computed from a source's fraction rather than from its size", async () => {
    const percents: (number | undefined)[] = [];
    const fractions = [0.1, 0.4, 0.3, undefined, 1, 1];
    const { type, script } = storyProcessor(
      {
        build: ({ cursor }) => {
          const letters = [...'abcdef'].map((letter, index) => [letter, index] as const);
          return Object.assign(letters.slice(((cursor as number) ?? -1) + 1), {
            size: () => 6,
            fraction: (at: number) => fractions[at],
          });
        },
      },
      { checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    script.each = async (_letter, { job, run, processed }) => {
      const { etaMs, percent } = await app.iterations.status(job as Job);
      percents.push(percent);
      if (processed === 1) expect(etaMs).toBeGreaterThan(0);
      if (processed === 2 && run === 1) throw new Error('once');
    };
    const job = await app.queue().add('story', {}, { attempts: 2 });
    await app.settled(job);
    expect(percents).toEqual([0, 10, 40, 40, 40, 66.6, 100]);
    expect(await stateOf(app, job)).toMatchObject({ percent: 100, processed: 6, size: 6 });
  });

  it('R29: percent of a CSV is computed from its bytes', async () => {
    const percents: (number | undefined)[] = [];
    const file = Buffer.from('n\n1\n22222\n3\n4\n');
    const { type, script } = storyProcessor(
      { build: ({ cursor }, { csv }) => csv.rows(file, { cursor }) as never },
      { checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    script.each = async (_row, { job }) => {
      percents.push((await app.iterations.status(job as Job)).percent);
    };
    await app.settled(await app.queue().add('story', {}));
    expect(percents).toEqual([0, 4, 10, 12].map((bytes) => Math.floor((1_000 * bytes) / file.length) / 10));
  });

  it.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('no fraction');
      },
    ],
    ['is not a number from 0 to 1', () => 1.5 as never],
  ])('a fraction that %s is ignored, with one warning per run', async (_, fraction) => {
    const { type } = storyProcessor(
      { build: () => Object.assign([['a', 0] as const, ['b', 1] as const], { fraction }) },
      { checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(await stateOf(app, job)).toMatchObject({ state: 'completed', processed: 2, percent: 100 });
    expect(queues.logs.filter((line) => line.includes('its fraction is unknown'))).toHaveLength(1);
  });

  it('R29: percent is undefined while the size is unknown, and 100 when the job is completed', async () => {
    const hold = new Hold('a');
    const { type } = storyProcessor({ each: hold.each, build: () => [['a', 0]] });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await hold.reached;
    expect(await stateOf(app, job)).toMatchObject({ state: 'running', size: undefined, percent: undefined });
    await app.close();
    const reader = await queues.start({});
    expect(await stateOf(reader, job)).toMatchObject({ state: 'completed', percent: 100 });
  });

  it('R29: a job over an empty source completes at 100 percent', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: '' }));
    expect(await stateOf(app, job)).toMatchObject({
      state: 'completed',
      size: 0,
      percent: 100,
      processed: 0,
      etaMs: 0,
    });
  });

  it.each<[string, () => number | Promise<number>]>([
    ['synchronous', () => 6],
    ['asynchronous', async () => 6],
  ])('the %s size function of a source is called once per job', async (_, size) => {
    let asked = 0;
    const { type, script } = storyProcessor({
      build: ({ cursor }, enumerators) =>
        enumerators.from(
          [...'abcdef'].map((letter, index) => [letter, index] as const).slice(((cursor as number) ?? -1) + 1),
          {
            size: () => {
              asked++;
              return size();
            },
          },
        ),
    });
    const producer = await queues.start({});
    const job = await producer.queue().add('story', {});
    for (const letter of 'bd') {
      const hold = new Hold(letter);
      script.each = hold.each;
      const app = await queues.start({ processors: [type] });
      await hold.reached;
      await app.close();
      expect(await stateOf(producer, job)).toMatchObject({ state: 'interrupted', size: 6 });
    }
    script.each = undefined;
    const app = await queues.start({ processors: [type] });
    await app.settled(job);
    expect(asked).toBe(1);
    expect(await stateOf(app, job)).toMatchObject({ size: 6, run: 3, interruptions: 2, percent: 100 });
  });

  it('a slow size delays no item; a size that fails is undefined, with a warning', async () => {
    const gate = new Gate();
    const slow = storyProcessor({
      build: (_context, enumerators) =>
        enumerators.from([['a', 0]] as const, { size: () => gate.wait().then(() => 1) }),
    });
    const failing = storyProcessor(
      {
        build: (_context, enumerators) =>
          enumerators.from([['a', 0]] as const, { size: () => Promise.reject(new Error('no count')) }),
      },
      { name: 'failing' },
    );
    const app = await queues.start({ processors: [slow.type, failing.type] });
    const counted = await app.settled(await app.queue().add('story', {}));
    expect(await stateOf(app, counted)).toMatchObject({ state: 'completed', size: undefined });
    gate.open();
    const uncounted = await app.settled(await app.queue().add('failing', {}));
    expect(await stateOf(app, uncounted)).toMatchObject({ state: 'completed', size: undefined, percent: 100 });
    expect(queues.logs.filter((line) => /its size is unknown: .*no count/.test(line)).length).toBe(1);
  });

  it('R29: rates are items per run time, without the time between runs', async () => {
    const { type, script } = storyProcessor({}, { checkpoint: { everyItems: 1 } });
    const app = await queues.start({ processors: [type] });
    const took: number[] = [];
    script.each = async (letter, context) => {
      const start = performance.now();
      await until('40 ms have passed', () => performance.now() - start >= 40);
      took.push(performance.now() - start);
      if (letter === 'c' && context.run === 1) context.retryIn(400);
    };
    const job = await app.settled(await app.queue().add('story', { letters: 'abcdef' }));
    const status = await stateOf(app, job);
    const handling = took.reduce((sum, ms) => sum + ms, 0);
    expect(status.runtimeMs).toBeGreaterThan(handling - 10);
    expect(status.runtimeMs).toBeLessThan((job.finishedOn as number) - job.timestamp - 390);
    expect(status.overallItemsPerSecond).toBeCloseTo(6_000 / status.runtimeMs, 5);
    expect(status.itemsPerSecond).toBeGreaterThan(0);
    expect(status.itemsPerSecond).toBeLessThanOrEqual(25.1);
  });
});

describe('status of a checkpoint document', () => {
  const statusWith = (progress: object, state = 'active') =>
    statusOf({ id: '1', name: 'story', queueName: 'jobs', opts: {}, progress } as unknown as Job, state as 'active');
  const document = {
    iteration: 1,
    progress: 25,
    cursor: 24,
    processed: 25,
    skipped: 0,
    size: 100,
    version: null,
    started: true,
    run: 2,
    interruptions: 1,
    failures: 0,
    runtimeMs: 70_000,
  };

  it('R29: itemsPerSecond is of the last minute, overallItemsPerSecond of all; etaMs uses the former', () => {
    const pace = [
      [10_000, 5],
      [65_000, 20],
    ] as const;
    expect(statusWith({ ...document, pace })).toMatchObject({
      itemsPerSecond: 20 / 60,
      overallItemsPerSecond: 25 / 70,
      etaMs: 75 * 3_000,
    });
  });

  it('R29: etaMs of a source with a fraction uses the rate of the last minute', () => {
    const pace = [
      [10_000, 5, 0.5],
      [65_000, 20, 0.7],
    ] as const;
    const { etaMs, percent } = statusWith({ ...document, size: null, fraction: 0.8, pace });
    expect(etaMs).toBeCloseTo(60_000 * (0.2 / 0.3), -1);
    expect(percent).toBe(25);
    expect(statusWith({ ...document, fraction: 0.8, pace: [[10_000, 5]] }).etaMs).toBeUndefined();
  });

  it.each(['failed', 'completed'])('R29: etaMs of a %s job is no longer estimated', (state) => {
    const { etaMs } = statusWith({ ...document, pace: [[10_000, 5]] }, state);
    expect(etaMs).toBe(state === 'completed' ? 0 : undefined);
  });

  it('R29: itemsPerSecond and etaMs are undefined before there is a rate', () => {
    expect(statusWith({ ...document, pace: [[70_000, 25]] })).toMatchObject({
      itemsPerSecond: undefined,
      etaMs: undefined,
    });
  });

  it('a document of a newer version throws an error that names both versions', () => {
    expect(() => statusWith({ ...document, iteration: 2 })).toThrow(
      "The job's checkpoint is of version 2, made by a newer nestjs-iteration; this one reads version 1",
    );
  });
});

describeQueues('the checkpoint document', BACKENDS, (queues) => {
  it("R30: the checkpoint has the numeric progress that Bull Board's ring shows", async () => {
    const hold = new Hold('b');
    const { type } = storyProcessor({ each: hold.each }, { checkpoint: { everyItems: 1 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abcd' });
    await hold.reached;
    expect(((await app.queue().getJob(job.id as string)) as Job).progress).toMatchObject({
      iteration: 1,
      progress: 25,
    });
    await app.close();
    const resumed = await queues.start({ processors: [storyProcessor().type] });
    expect((await resumed.settled(job)).progress).toMatchObject({ progress: 100 });
  });

  it('the checkpoint without its cursor is under 2 KB, and a run keeps its unknown fields', async () => {
    const cursor = 'x'.repeat(900);
    const { type, story } = storyProcessor({
      build: () => [['a', cursor]],
    });
    const producer = await queues.start({});
    const job = await producer.queue().add('story', {});
    const lastMinute = Array.from({ length: 8 }, (_, index) => [
      86_400_000_000 + index * 10_000,
      900_000_000 + index,
      1 / 3,
    ]);
    const long = {
      iteration: 1,
      progress: 99,
      cursor: null,
      processed: 999_999_999,
      skipped: 1_000,
      size: 1_000_000_000,
      version: 'v'.repeat(100),
      started: true,
      run: 99_999,
      interruptions: 99_998,
      failures: 3,
      runtimeMs: 86_400_070_000,
      lastInterruption: { reason: 'retryIn', retryInMs: 31_536_000_000 },
      pace: lastMinute,
    };
    await job.updateProgress({ ...long, later: { of: ['a', 'newer version'] } });
    const app = await queues.start({ processors: [type] });
    const { progress } = await app.settled(job);

    expect(story).toEqual(['resume', 'a', 'complete', 'end complete']);
    expect(progress).toMatchObject({
      later: { of: ['a', 'newer version'] },
      run: 100_000,
      processed: 1_000_000_000,
      cursor,
    });
    const { cursor: _, ...besides } = progress as { cursor: string };
    expect(Buffer.byteLength(JSON.stringify(besides))).toBeLessThan(2_048);
  });
});
