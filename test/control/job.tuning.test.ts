import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { EnumeratorBuilder } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const NUMBERS = 100_000;
const numbers = (context: { cursor: unknown }, build: EnumeratorBuilder) =>
  build.times(NUMBERS, { cursor: context.cursor as number | null });

describeQueues('tune', BACKENDS, (queues) => {
  it('R31: itemConcurrency of a running job follows up and down, from a process without workers', async () => {
    let inFlight = 0;
    let most = 0;
    const { type } = storyProcessor({
      build: numbers,
      each: async () => {
        most = Math.max(most, ++inFlight);
        await delay(2);
        inFlight--;
      },
    });
    const web = await queues.start({ iteration: { workers: false } });
    await queues.start({ processors: [type] });
    const job = await web.iterations.enqueue(type, {});
    const reaches = async (itemConcurrency: number) => {
      await web.iterations.tune(job, { itemConcurrency });
      await until(`${itemConcurrency} items are in flight`, () => most === itemConcurrency);
      expect(await web.iterations.status(job)).toMatchObject({ settings: { itemConcurrency } });
    };
    await until('it runs', () => most === 1);
    await reaches(5);
    await web.iterations.tune(job, { itemConcurrency: 2 });
    await until('fewer are in flight', async () => {
      most = 0;
      await delay(20);
      return most === 2;
    });
    await web.iterations.cancel(job);
    await until('it ends', async () => (await job.getState()) === 'failed');
    const { cursor, processed } = await web.iterations.status(job);
    expect(processed).toBe((cursor as number) + 1);
  });

  it('R34: itemsPerSecond limits a running job within two seconds, and null lifts the limit', async () => {
    const begun: number[] = [];
    const { type } = storyProcessor({ build: numbers, each: () => delay(1).then(() => void begun.push(Date.now())) });
    const web = await queues.start({ iteration: { workers: false } });
    await queues.start({ processors: [type] });
    const job = await web.iterations.enqueue(type, {});
    await until('it runs', () => begun.length > 50);
    await web.iterations.tune(job, { itemsPerSecond: 20 });
    const tunedAt = Date.now();
    await until('it is slow for two seconds', () => Date.now() > tunedAt + 4_000);
    const slow = begun.filter((at) => at > tunedAt + 2_000 && at <= tunedAt + 4_000);
    expect(slow.length).toBeGreaterThan(20);
    expect(slow.length).toBeLessThanOrEqual(44);
    expect(await web.iterations.status(job)).toMatchObject({ settings: { itemConcurrency: 1, itemsPerSecond: 20 } });
    await web.iterations.tune(job, { itemsPerSecond: null });
    const lifted = begun.length;
    await until('it is fast again', () => begun.length > lifted + 300, 10_000);
    expect((await web.iterations.status(job)).settings).toEqual({ itemConcurrency: 1 });
    await web.iterations.cancel(job);
    await until('it ends', async () => (await job.getState()) === 'failed');
  });

  it('R31: batchSize holds from the batch after the next, and the size counts batches of it', async () => {
    const sizes: number[] = [];
    const next: Gate[] = [new Gate(), new Gate(), new Gate(), new Gate()];
    const { type } = storyProcessor({
      build: ({ cursor }, build) =>
        build.csv.batches(Buffer.from(`n\n${'1\n'.repeat(100)}`), {
          cursor,
          batchSize: 20,
        }),
      each: async (batch) => {
        sizes.push(batch.length);
        await next[sizes.length - 1]?.wait();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, {});
    await next[0]?.reached;
    await app.iterations.tune(job, { batchSize: 10 });
    await delay(1_500);
    for (const gate of next) gate.open();
    await app.settled(job);
    expect(sizes).toEqual([20, 20, ...Array.from({ length: 6 }, () => 10)]);
    expect(await app.iterations.status(job)).toMatchObject({
      processed: 8,
      percent: 100,
      settings: { itemConcurrency: 1, batchSize: 10 },
    });
  });

  it('status shows the settings of the processor of the name before those of one for every name', async () => {
    const every = storyProcessor({}, { name: undefined, itemConcurrency: 2 });
    const named = storyProcessor({}, { name: 'named', itemConcurrency: 3 });
    const app = await queues.start({ processors: [every.type, named.type], iteration: { workers: false } });
    const settingsOf = async (name: string) =>
      (await app.iterations.status(await app.queue().add(name, {}))).settings.itemConcurrency;
    expect([await settingsOf('named'), await settingsOf('other')]).toEqual([3, 2]);
  });

  it('R31: settings of a waiting job are shown at once, and hold for its runs after a restart of the worker', async () => {
    const { type } = storyProcessor({ each: () => delay(1) }, { itemConcurrency: 4 });
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.iterations.enqueue(type, { letters: 'abcdef' });
    expect((await web.iterations.status(job)).settings).toEqual({ itemConcurrency: 1 });
    await web.iterations.tune(job, { itemConcurrency: 3 });
    await web.iterations.tune(job, { itemsPerSecond: 500 });
    expect((await web.iterations.status(job)).settings).toEqual({ itemConcurrency: 3, itemsPerSecond: 500 });
    const app = await queues.start({ processors: [type] });
    await app.settled(job);
    expect((await web.iterations.status(job)).settings).toEqual({ itemConcurrency: 3, itemsPerSecond: 500 });
    expect((await web.iterations.requests(job)).map(({ settings }) => settings)).toEqual([
      { itemConcurrency: 3 },
      { itemsPerSecond: 500 },
    ]);
  });

  it.each<[object, string]>([
    [{}, 'tune: it has no settings'],
    [{ itemConcurrency: 0 }, 'tune: option "itemConcurrency" is 0; it must be a whole number, 1 or more'],
    [{ itemsPerSecond: 0 }, 'tune: option "itemsPerSecond" is 0; it must be a number of items a second, more than 0'],
    [{ batchSize: 1.5 }, 'tune: option "batchSize" is 1.5'],
    [{ itemConcurency: 2 }, 'Did you mean "itemConcurrency"?'],
  ])('R31: tune refuses %j', async (settings, message) => {
    const { type } = storyProcessor();
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.iterations.enqueue(type, {});
    await expect(web.iterations.tune(job, settings)).rejects.toThrow(message);
  });
});

describeQueues('itemsPerSecond', BACKENDS, (queues) => {
  it('R34: a slow rate holds over runs: the next run waits, and a long wait puts the job back', async () => {
    const begun: number[] = [];
    const { type, story } = storyProcessor(
      { each: () => void begun.push(Date.now()) },
      { itemsPerSecond: 1, maxRuntimeMs: 1, checkpoint: { everyMs: 60_000 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abc' });
    await app.settled(job);
    expect(story.filter((event) => event === 'end interrupt')).toHaveLength(2);
    const gaps = begun.slice(1).map((at, index) => at - (begun[index] as number));
    for (const gap of gaps) expect(gap).toBeGreaterThan(700); // without a limit, some milliseconds
  });

  it('R34: a wait of more than five seconds puts the job back with its cursor', async () => {
    const { type, story } = storyProcessor({}, { itemsPerSecond: 0.1 });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'ab' });
    await until('it is put back', () => story.includes('end interrupt'));
    await until('it is delayed', () => job.isDelayed());
    expect(story).toEqual(['start', 'a', 'interrupt rate', 'end interrupt']);
    const { lastInterruption, cursor } = await app.iterations.status(job);
    expect([lastInterruption?.reason, cursor]).toEqual(['rate', 0]);
    expect(lastInterruption?.retryInMs).toBeGreaterThan(5_000);
    expect(lastInterruption?.retryInMs).toBeLessThanOrEqual(10_000);
  });
});
