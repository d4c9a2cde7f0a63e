import { expect, it } from 'vitest';
import type { Running } from '../../lib/checkpoint/checkpoint.js';
import { ProgressTracker } from '../../lib/checkpoint/progress.js';
import { RunTimes } from '../../lib/checkpoint/time.split.js';
import type { ProcessorDefinition } from '../../lib/definition/processor.definition.js';
import { readerOf } from '../../lib/enumerators/contract/index.js';
import type { ItemFailure } from '../../lib/failures/item.failure.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import { resolveRunOptions } from '../../lib/iteration.options.js';
import { ConcurrentLoop } from '../../lib/run/concurrent.loop.js';
import { ItemRate } from '../../lib/runtime/item.rate.js';
import type { RunContext } from '../../lib/runtime/run.context.js';
import type { OpenRun } from '../../lib/runtime/run.js';
import { RunTimer } from '../../lib/runtime/run.timer.js';
import { SourcePages } from '../../lib/runtime/source.pages.js';
import { Gate } from '../../lib/testing/gate.js';
import { describeQueues } from '../support/app.js';
import { numbers } from '../support/csv.js';
import { AT_THE_BEGINNING } from '../support/loop.js';
import { interrupted, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const done = (story: readonly string[]) => story.filter((event) => event.length === 1).join('');

describeQueues('items in flight in detail', ['redis'], (queues) => {
  it('stop() still ends the job when a later item waits for its next try at a shutdown', async () => {
    const gate = new Gate();
    const begun: string[] = [];
    const { type, story } = storyProcessor(
      {
        each: async (letter, context) => {
          begun.push(letter);
          if (letter === 'b') {
            if (begun.length === 2) throw new Error('flaky');
            return;
          }
          if (letter === 'a') {
            await gate.wait();
            context.stop();
          }
        },
      },
      { itemConcurrency: 2, itemFailure: { attempts: 2, backoffMs: () => 600_000 }, checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await until('b has failed', () => begun.length === 2);
    gate.open();
    await until('the checkpoint is after a', async () => (await app.iterations.status(job)).cursor === 0);
    await app.close();
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(done(story)).not.toContain('c');
  });

  it('stop() still ends the job when a later item outlives the shutdown deadline', async () => {
    const gate = new Gate();
    const { type, story, script } = storyProcessor(
      {
        each: async (letter, context) => {
          if (letter === 'b') await gate.wait();
          if (letter === 'a') {
            await gate.reached;
            context.stop();
          }
        },
      },
      { itemConcurrency: 2, checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 50 } } });
    const job = await app.queue().add('story', {});
    await until('the checkpoint is after a', async () => (await app.iterations.status(job)).cursor === 0);
    await app.close();
    gate.open();
    script.each = undefined;
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(done(story)).not.toContain('c');
  });

  it('R18: the checkpoint after the item that called stop() records the stop, so a kill does not lose it', async () => {
    const gate = new Gate();
    const { type } = storyProcessor(
      {
        each: async (letter, context) => {
          if (letter === 'b') await gate.wait();
          if (letter === 'a') {
            await gate.reached;
            context.stop();
          }
        },
      },
      { itemConcurrency: 2, checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await until('the checkpoint is after a', async () => (await app.iterations.status(job)).cursor === 0);
    const saved = await app.queue().getJob(job.id as string);
    gate.open();
    expect(saved?.progress).toMatchObject({ cursor: 0, stopped: { silent: false } });
  });

  it('poll without ack loses no item that was taken before stop()', async () => {
    const queue = [...'abcdef'];
    const gate = new Gate();
    const { type, story } = storyProcessor(
      {
        build: (_, enumerators) => enumerators.poll(async () => queue.shift()),
        each: async (letter, context) => {
          if (letter === 'b') await gate.wait();
          if (letter === 'a') {
            await gate.reached;
            await new Promise(setImmediate);
            context.stop();
            gate.open();
          }
        },
      },
      { itemConcurrency: 2 },
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect([...done(story)].sort().join('') + queue.join('')).toBe('abcdef');
  });

  it('poll without ack loses only the failed item when an item fails', async () => {
    const queue = [...'abcdef'];
    const gate = new Gate();
    const begun: string[] = [];
    const { type } = storyProcessor(
      {
        build: (_, enumerators) => enumerators.poll(async () => queue.shift()),
        each: async (letter) => {
          begun.push(letter);
          if (letter === 'b') await gate.wait();
          if (letter === 'a') {
            await gate.reached;
            await new Promise(setImmediate);
            gate.open();
            throw new Error('bad');
          }
        },
      },
      { itemConcurrency: 2 },
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect(begun.join('') + queue.join('')).toBe('abcdef');
  });

  it('stop() in a part of a batch still ends the job when a later batch fails', async () => {
    const csv = Buffer.from(numbers(6));
    const gate = new Gate();
    const { type, story } = storyProcessor(
      {
        build: ({ cursor }, enumerators) => enumerators.csv.batches(csv, { cursor, batchSize: 2 }),
        each: async (rows, context) => {
          const call = (rows as unknown as { n: string }[]).map(({ n }) => n).join();
          if (call === '1,2') {
            await gate.reached;
            throw new Error('bad 1,2');
          }
          if (call === '1') context.stop();
          if (call === '3,4') {
            await gate.wait();
            throw new Error('bad 3,4');
          }
          if (call === '2') gate.open();
        },
      },
      { itemConcurrency: 2, itemFailure: { then: 'skip', when: (error) => !(error as Error).message.includes('3,4') } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect([job.failedReason, story.at(-1)]).toEqual([undefined, 'end complete']);
  });

  it('nested keeps a polled item that waits for its next try when the source has moved on', async () => {
    const queue = ['p'];
    const begun: string[] = [];
    const { type, story } = storyProcessor(
      {
        build: ({ cursor }, enumerators) =>
          enumerators.nested<string>(
            [
              (at: { cursor: never }) => enumerators.array(['queue', 'list'], { cursor: at.cursor }),
              (outer: string, at: { cursor: never }) =>
                outer === 'queue'
                  ? enumerators.poll(async () => queue.shift())
                  : enumerators.array([...'xyz'], { cursor: at.cursor }),
            ] as never,
            { cursor },
          ),
        each: async (letter, context) => {
          begun.push(letter);
          if (letter === 'p' && begun.filter((one) => one === 'p').length === 1) throw new Error('flaky');
          if (letter === 'x' && context.run === 1) await interrupted(context);
        },
      },
      { itemConcurrency: 3, itemFailure: { attempts: 2, backoffMs: () => 600_000 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await until('x has begun', () => begun.includes('x'));
    await app.close();
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(done(story)).toContain('p');
  });
});

it('R19: crash isolation marks no item as being handled while the source yields the next item', async () => {
  let marked = '';
  const asked: string[] = [];
  async function* items() {
    for (let item = 0; item < 3; item++) {
      asked.push(marked);
      yield [item, item] as const;
    }
  }
  const interruption = new InterruptionRequest();
  const progress = new ProgressTracker(AT_THE_BEGINNING);
  const lock = new Lock('token', { acquiredAt: Date.now(), durationMs: 600_000, interruption, clock: Date });
  const warn = (message: string) => {
    throw new Error(message);
  };
  const job = { opts: {} };
  const context = { job, stopped: undefined, hasStopped: false, fork: () => ({ ...context }) } as unknown as RunContext;
  const definition = {
    options: resolveRunOptions({}, { itemConcurrency: 3 }),
    handle: () => new Promise(setImmediate),
  } as unknown as ProcessorDefinition;
  const flush = async (running: Running) => {
    marked = running;
  };
  const checkpoint = { current: {}, flush, flushBegun: async () => {} };
  const times = new RunTimes(Date, {});
  const settings = definition.options;
  const rate = new ItemRate({ clock: Date, interruption, settings }, undefined);
  const parts = {
    clock: Date,
    checkpoint,
    context,
    definition,
    interruption,
    lock,
    log: { warn },
    progress,
    rate,
    settings,
    times,
  };
  const run = parts as unknown as OpenRun;
  const timer = new RunTimer(run, { isolate: true });
  const pages = new SourcePages(readerOf(items()), { interruption, times, whileAwaiting: () => {}, warn });
  const outcome = await new ConcurrentLoop({ ...run, pages, timer }, {} as ItemFailure).outcome();
  await pages.close();

  expect([outcome.type, progress.finished]).toEqual(['complete', 3]);
  expect(asked).toEqual(['', 'careful', 'careful']);
});
