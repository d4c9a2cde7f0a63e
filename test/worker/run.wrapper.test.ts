import { AsyncLocalStorage } from 'node:async_hooks';
import { OnWorkerEvent, ProcessorDecoratorService } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Job } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import {
  type AroundedRun,
  BuildEnumerator,
  EachIteration,
  type EndedRun,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describeQueues('what watches processors', BACKENDS, (queues) => {
  it('R38: ProcessorDecoratorService wraps each run, and an interruption is no error to it', async () => {
    const seen: string[] = [];
    vi.spyOn(ProcessorDecoratorService.prototype, 'decorate').mockImplementation((processor) => async (...args) => {
      const [{ name }] = args;
      seen.push(`${name} begins`);
      try {
        const result = await processor(...args);
        seen.push(`returned ${JSON.stringify(result)}`);
        return result;
      } catch (error) {
        seen.push(String(error));
        throw error;
      }
    });
    const { type } = storyProcessor({
      each: (letter, context) => {
        if (letter === 'b' && context.run === 1) context.retryIn(0);
        if (letter === 'c' && context.run === 2) throw new RangeError('bad c');
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, { letters: 'abc' }, { attempts: 2 }));
    expect(seen).toEqual([
      'story begins',
      'returned undefined',
      'story begins',
      'RangeError: bad c',
      'story begins',
      'returned {"processed":3,"skipped":0}',
    ]);
    expect(queues.logs.filter((line) => line.startsWith('error'))).toEqual([]); // BullMQ completed no moved job
  });

  it('R38: @OnWorkerEvent methods hear of their own jobs, and of what concerns the whole worker', async () => {
    const heard: string[] = [];
    const processorOf = (name: string) => {
      @Injectable()
      @IterativeProcessor({ queue: 'jobs', name })
      class Listening {
        constructor(private readonly enumerators: EnumeratorBuilder) {}

        @BuildEnumerator()
        build() {
          return this.enumerators.times(1, { cursor: null });
        }

        @EachIteration()
        each() {
          if (name === 'b') throw new Error('bad b');
        }

        @OnWorkerEvent('completed')
        completed(job: Job, result: unknown) {
          heard.push(`${name}: completed ${job.name} ${JSON.stringify(result)}`);
        }

        @OnWorkerEvent('failed')
        failed(job: Job, { message }: Error) {
          heard.push(`${name}: failed ${job.name} ${message}`);
        }

        @OnWorkerEvent('closed')
        closed() {
          heard.push(`${name}: closed`);
        }
      }
      return Listening;
    };
    const [A, B] = [processorOf('a'), processorOf('b')];
    const app = await queues.start({ processors: [A, B] });
    await app.settled(await app.queue().add('a', {}));
    await app.settled(await app.queue().add('b', {}));
    await until('both are heard of', () => heard.length >= 2);
    await app.close();
    expect(heard).toEqual([
      'a: completed a {"processed":1,"skipped":0}',
      'b: failed b bad b',
      'a: closed',
      'b: closed',
    ]);
  });

  it('R38: aroundRun opens a context for build, items and hooks, and hears how each run ends', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => {
        seen.push(`build in ${storage.getStore()}`);
        return enumerators.array(['a', 'b'], { cursor });
      },
      each: (letter, context) => {
        seen.push(`${letter} in ${storage.getStore()}`);
        if (letter === 'a') context.retryIn(0);
      },
      hook: (event) => {
        seen.push(`${event} in ${storage.getStore()}`);
      },
    });
    const ended: EndedRun[] = [];
    const aroundRun = ({ carrier, job, previous, processor, run }: AroundedRun, next: () => Promise<EndedRun>) => {
      carrier.trace = `trace ${run}`;
      const from = previous ? ` after ${previous.trace}` : '';
      return storage.run(`${processor} ${job.name} ${run}${from}`, async () => {
        ended.push(await next());
      });
    };
    const app = await queues.start({ processors: [type], iteration: { aroundRun } });
    await app.settled(await app.iterations.enqueue(type, {}));
    const [first, second] = ['Story story 1', 'Story story 2 after trace 1'];
    expect(seen).toEqual([
      `build in ${first}`,
      `start in ${first}`,
      `a in ${first}`,
      `interrupt retryIn in ${first}`,
      `end interrupt in ${first}`,
      `build in ${second}`,
      `resume in ${second}`,
      `b in ${second}`,
      `complete in ${second}`,
      `end complete in ${second}`,
    ]);
    expect(ended).toEqual([
      { outcome: 'interrupt', error: undefined, reason: 'retryIn' },
      { outcome: 'complete', error: undefined, reason: undefined },
    ]);
  });

  it('aroundRun that throws before the run, or forgets next(), fails the attempt; later errors are logged', async () => {
    const around: ((next: () => Promise<unknown>) => Promise<unknown>)[] = [
      async () => {
        throw new Error('no context');
      },
      async () => {},
      async (next) => {
        await next();
        throw new Error('too late');
      },
    ];
    const { type, story } = storyProcessor();
    const aroundRun = async ({ run }: AroundedRun, next: () => Promise<EndedRun>) => {
      await around[run - 1]?.(next);
    };
    const app = await queues.start({ processors: [type], iteration: { aroundRun } });
    const job = await app.settled(await app.iterations.enqueue(type, { letters: 'a' }, { attempts: 5 }));
    expect(await job.getState()).toBe('completed');
    expect(story).toEqual(['end retry', 'end retry', 'start', 'a', 'complete', 'end complete']);
    const warned = queues.logs.filter((line) => line.startsWith('warn'));
    expect(warned).toEqual([
      expect.stringContaining('no context'),
      expect.stringContaining('aroundRun has returned without calling next(), so the run has not begun'),
      expect.stringContaining('aroundRun failed after the run: too late'),
    ]);
  });
});
