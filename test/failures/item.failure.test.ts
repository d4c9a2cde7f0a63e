import { Injectable } from '@nestjs/common';
import { DelayedError, type Job, RateLimitError, UnrecoverableError, WaitingError } from 'bullmq';
import { expect, it } from 'vitest';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type ItemFailureOptions,
  type IterationContext,
  IterativeProcessor,
  SkipLimitError,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { type Script, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

/** A handler that throws `failures` times for a letter and records every try. */
class Flaky {
  readonly tries: string[] = [];
  readonly error = new TypeError('no such user');

  constructor(private readonly failures: Record<string, number>) {}

  readonly each = async (letter: string): Promise<void> => {
    this.tries.push(letter);
    if ((this.failures[letter] ?? 0) <= 0) return;
    this.failures[letter] = (this.failures[letter] as number) - 1;
    throw this.error;
  };
}

const lettersOf = (story: readonly string[]) => story.filter((event) => event.length === 1).join('');

const storyOf = (script: Script, itemFailure: ItemFailureOptions, options: object = {}) =>
  storyProcessor(script, { itemFailure: { backoffMs: 0, ...itemFailure }, ...options });

async function ran(
  queues: Queues,
  { type }: { type: new () => unknown },
  options: object = {},
): Promise<{ app: TestApp; job: Job; result: unknown }> {
  const app = await queues.start({ processors: [type as never] });
  const job = await app.settled(await app.queue().add('story', { letters: 'abcd' }, options));
  return { app, job, result: job.returnvalue };
}

describeQueues('item failures', BACKENDS, (queues) => {
  it('R24: an item that is retried in place does not count as a failure of the job', async () => {
    const flaky = new Flaky({ b: 2, c: 1 });
    const processor = storyOf({ each: flaky.each }, { attempts: 3 });
    const { app, job, result } = await ran(queues, processor);

    expect(flaky.tries.join('')).toBe('abbbccd');
    expect(processor.story).toEqual(['start', 'a', 'b', 'c', 'd', 'complete', 'end complete']);
    expect([result, job.attemptsMade, job.stacktrace]).toEqual([{ processed: 4, skipped: 0 }, 1, []]);
    expect(await app.iterations.status(job)).toMatchObject({ failures: 0, run: 1 });
  });

  it('R23: an item that has used up its tries counts as one failure of the job, with its own error', async () => {
    const flaky = new Flaky({ b: 100 });
    const processor = storyOf({ each: flaky.each }, { attempts: 2 });
    const { app, job } = await ran(queues, processor, { attempts: 3 });

    expect(flaky.tries.join('')).toBe('abbbbbb');
    expect(processor.story).toEqual([
      ...['start', 'a', 'end retry', 'resume', 'end retry', 'resume', 'fail no such user', 'end fail'],
    ]);
    expect(job.failedReason).toBe('no such user');
    expect(job.stacktrace).toEqual(Array(3).fill(flaky.error.stack));
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', failures: 3, processed: 1, skipped: 0 });
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it("R24: then: 'skip' writes the item to the dead letters and continues with the next item", async () => {
    const flaky = new Flaky({ b: 100 });
    const skipped: unknown[] = [];
    const hook: Script['hook'] = (event, context, detail) => {
      if (event.startsWith('skip')) skipped.push([detail, context.item]);
    };
    const processor = storyOf({ each: flaky.each, hook }, { attempts: 2, then: 'skip' });
    const { app, job, result } = await ran(queues, processor, { jobId: 'letters' });

    expect(flaky.tries.join('')).toBe('abbcd');
    expect(processor.story).toEqual(['start', 'a', 'skip no such user', 'c', 'd', 'complete', 'end complete']);
    expect(skipped).toEqual([[{ error: flaky.error, item: 'b', cursor: 1 }, 'b']]);
    expect((skipped as [{ error: unknown }][])[0]?.[0].error).toBe(flaky.error);
    expect(result).toEqual({ processed: 3, skipped: 1 });
    expect(await app.iterations.status(job)).toMatchObject({ processed: 3, skipped: 1, percent: 100, failures: 0 });
    const letters = await app.iterations.deadLetters({ queue: 'jobs', id: 'letters' });
    const { name, message, stack } = flaky.error;
    expect(letters).toEqual([
      {
        processor: 'Story',
        job: { queue: 'jobs', id: 'letters' },
        before: 0,
        cursor: 1,
        summary: '"b"',
        error: { name, message, stack },
        tries: 2,
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      },
    ]);
  });

  it('R24: an item is also skipped when it throws a malformed Error or a value that is not an Error', async () => {
    const odd: unknown[] = [
      'text',
      { message: 'like an error' },
      Object.assign(new Error('half a smiley: 😀'.slice(0, -1)), { name: 'Od\0d' }),
      Object.assign(new Error(`${'x'.repeat(1_999)}😀`), { stack: `${'y'.repeat(7_999)}😀` }),
    ];
    const each = async () => {
      throw odd[thrown++];
    };
    let thrown = 0;
    const { app, job, result } = await ran(queues, storyOf({ each }, { then: 'skip' }));
    expect(result).toEqual({ processed: 0, skipped: 4 });
    const letters = await app.iterations.deadLetters(job);
    expect(
      letters.map(({ error }) => [error.name, error.message.length > 100 ? error.message.length : error.message]),
    ).toEqual([
      ['IterationError', expect.stringContaining('threw "text", which is not an Error')],
      ['Error', 'like an error'],
      ['Od\uFFFDd', 'half a smiley: \uFFFD'],
      ['Error', 2_000],
    ]);
  });

  it('R24: an error that itemFailure.when refuses, or for which it throws, fails the job', async () => {
    for (const when of [(error: unknown) => error instanceof RangeError, () => fail('when')]) {
      const processor = storyOf({ each: async (letter) => letter === 'b' && fail('b') }, { then: 'skip', when });
      const { app, job } = await ran(queues, processor);
      expect([job.failedReason, await app.iterations.deadLetters(job)]).toEqual(['cannot do b', []]);
      await app.close();
    }
    expect(queues.logs.filter((line) => line.includes('itemFailure.when failed (cannot do when)'))).toHaveLength(1);
  });

  it('R24: a job over itemFailure.limit fails without a retry; the limit counts the skips of all runs', async () => {
    let restarts = 1;
    const each: Script['each'] = async (letter, context) => {
      if (letter === 'b' && restarts-- > 0) context.retryIn(0);
      if (letter !== 'b') fail(letter);
    };
    const processor = storyOf({ each }, { then: 'skip', limit: 2 });
    const { app, job } = await ran(queues, processor, { attempts: 5 });

    expect(processor.story).toEqual([
      ...['start', 'skip cannot do a', 'b', 'interrupt retryIn', 'end interrupt', 'resume', 'skip cannot do c'],
      ...[expect.stringMatching(/^fail The job has skipped 2 items/), 'end fail'],
    ]);
    expect(job.failedReason).toContain('itemFailure.limit');
    expect(job.attemptsMade).toBeLessThanOrEqual(5);
    expect((await app.iterations.deadLetters(job)).map(({ cursor }) => cursor)).toEqual([0, 2]);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', skipped: 2, processed: 1, cursor: 2 });
  });

  it("R22: an item that throws one of BullMQ's control errors is neither retried in place nor skipped", async () => {
    const thrown = [new DelayedError(), new WaitingError(), new RateLimitError()];
    const tries: string[] = [];
    const each: Script['each'] = async (letter) => {
      tries.push(letter);
      const error = letter === 'b' && thrown.pop();
      if (error) throw error;
    };
    const processor = storyOf({ each }, { attempts: 4, then: 'skip' });
    const { result } = await ran(queues, processor);
    expect(tries.join('')).toBe('abbbbcd');
    expect(result).toEqual({ processed: 4, skipped: 0 });
    expect(processor.story.filter((event) => event === 'interrupt bullmq')).toHaveLength(3);
  });

  it('R22: UnrecoverableError fails the job without a retry or a skip', async () => {
    const tries: string[] = [];
    const each = async (letter: string) => {
      tries.push(letter);
      if (letter === 'b') throw new UnrecoverableError('never again');
    };
    const { app, job } = await ran(queues, storyOf({ each }, { attempts: 4, then: 'skip' }), { attempts: 4 });
    expect([tries.join(''), job.failedReason]).toEqual(['ab', 'never again']);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it('R14: a shutdown ends the wait for the next try without a failure; the next run retries the item', async () => {
    const flaky = new Flaky({ b: 2 });
    const processor = storyOf({ each: flaky.each }, { attempts: 3, backoffMs: () => 600_000, then: 'skip' });
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.queue().add('story', { letters: 'abc' });
    await until('b has failed', () => flaky.tries.includes('b'));
    await app.close();
    expect(processor.story).toEqual(['start', 'a', 'interrupt shutdown', 'end interrupt']);

    const second = await queues.start({ processors: [processor.type] });
    await until('b has failed again', () => flaky.tries.join('') === 'abb');
    await second.close();
    const third = await queues.start({ processors: [processor.type] });
    const { returnvalue, attemptsMade } = await third.settled(job);
    expect([flaky.tries.join(''), returnvalue, attemptsMade]).toEqual(['abbbc', { processed: 3, skipped: 0 }, 1]);
  });

  it('R3: maxRuntimeMs ends a wait for the next try, and a series of tries without a wait', async () => {
    for (const backoffMs of [() => 600_000, 0]) {
      const flaky = new Flaky({ b: backoffMs === 0 ? 1_000_000 : 1 });
      const script: Script = {
        each: flaky.each,
        hook: (event) => {
          if (event === 'end interrupt') script.each = async () => {};
        },
      };
      const processor = storyOf(script, { attempts: 1_000_000, backoffMs }, { maxRuntimeMs: 50, resumeDelayMs: 0 });
      const app = await queues.start({ processors: [processor.type] });
      const job = await app.queue().add('story', { letters: 'abc' });
      const { returnvalue } = await app.settled(job);
      expect(processor.story.slice(0, 4)).toEqual(['start', 'a', 'interrupt maxRuntime', 'end interrupt']);
      expect(returnvalue).toEqual({ processed: 3, skipped: 0 });
      await app.close();
    }
  });
});

describeQueues('item failures in detail', ['redis'], (queues) => {
  it('R24: the wait between tries doubles each time, or is what the backoffMs function returns', async () => {
    const at: number[] = [];
    const failing = async () => void at.push(Date.now());
    const doubled = storyOf({ each: (letter) => failing().then(() => fail(letter)) }, { attempts: 4, backoffMs: 30 });
    await (await ran(queues, doubled)).app.close();
    const [one, two, three] = waits(at);
    expect(one).toBeGreaterThanOrEqual(28);
    expect(two).toBeGreaterThanOrEqual(58);
    expect(three).toBeGreaterThanOrEqual(118);

    at.length = 0;
    const asked: number[] = [];
    const backoffMs = (tries: number) => asked.push(tries) * 40;
    await ran(queues, storyOf({ each: (letter) => failing().then(() => fail(letter)) }, { attempts: 3, backoffMs }));
    expect(asked).toEqual([1, 2]);
    expect(waits(at)[0]).toBeGreaterThanOrEqual(38);
    expect(waits(at)[1]).toBeGreaterThanOrEqual(78);
  });

  it('R24: an item is retried at once, with a warning, when backoffMs throws or returns no valid number', async () => {
    const given = [() => fail('backoff'), () => 'soon', () => Number.NaN, () => -1, () => undefined];
    const flaky = new Flaky({ a: given.length });
    const backoffMs = (tries: number) => given[tries - 1]?.() as unknown as number;
    const { result } = await ran(queues, storyOf({ each: flaky.each }, { attempts: given.length + 1, backoffMs }));

    expect(result).toEqual({ processed: 4, skipped: 0 });
    const warned = queues.logs.filter((line) => line.includes('itemFailure.backoffMs'));
    expect(warned.map((line) => /(failed \(.*\)|returned \S+),?;? /.exec(line)?.[1]?.replace(/,$/, ''))).toEqual([
      ...['failed (cannot do backoff)', 'returned soon', 'returned NaN', 'returned -1', 'returned undefined'],
    ]);
  });

  it('R24: an item of a synchronous handler is retried in place', async () => {
    const tries: string[] = [];
    const processor = storyOf(
      {
        each: (letter) => {
          if (tries.push(letter) % 2 === 1) throw new Error('each one fails once');
        },
      },
      { attempts: 2 },
    );
    expect((await ran(queues, processor)).result).toEqual({ processed: 4, skipped: 0 });
    expect(tries.join('')).toBe('aabbccdd');
  });

  it('R24: a backoff of Infinity does not become a wait of 1 ms', async () => {
    const flaky = new Flaky({ b: 100 });
    const processor = storyOf({ each: flaky.each }, { attempts: 3, backoffMs: () => Infinity });
    const app = await queues.start({ processors: [processor.type] });
    await app.queue().add('story', { letters: 'abc' });
    await until('b has failed', () => flaky.tries.includes('b'));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(flaky.tries.join('')).toBe('ab');
    await app.close();
  });

  it('an item that calls stop() and then throws is retried, and the job completes after it', async () => {
    const flaky = new Flaky({ b: 1 });
    const each: Script['each'] = (letter, context) => {
      if (letter === 'b') context.stop();
      return flaky.each(letter);
    };
    const processor = storyOf({ each }, { attempts: 2 });
    expect((await ran(queues, processor)).result).toEqual({ processed: 2, skipped: 0 });
    expect(lettersOf(processor.story)).toBe('ab');
  });

  it('R24: a polling run that is asked to stop retries its item without a wait and loses no item', async () => {
    const queue = [...'abc'];
    const acked: string[] = [];
    const gate = new Gate();
    const tries: string[] = [];
    const processor = storyOf(
      {
        build: (_, enumerators) =>
          enumerators.poll(async () => queue.shift(), { ack: async (letter) => void acked.push(letter) }),
        each: async (letter) => {
          tries.push(letter);
          if (letter !== 'b') return;
          if (tries.length === 2) await gate.wait();
          if (tries.length < 4) fail(letter);
        },
      },
      { attempts: 3, backoffMs: () => 600_000 },
    );
    const app = await queues.start({ processors: [processor.type] });
    await app.queue().add('story', {});
    await gate.reached;
    const closed = app.close();
    await new Promise((resolve) => setImmediate(resolve));
    gate.open();
    await closed;
    expect([tries.join(''), acked, queue]).toEqual(['abbb', ['a', 'b'], ['c']]);
    expect(processor.story).toEqual(['start', 'a', 'b', 'interrupt shutdown', 'end interrupt']);
  });

  it('R24: @AroundIteration wraps each try of an item', async () => {
    const calls: string[] = [];

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'story', itemFailure: { attempts: 3, backoffMs: 0 } })
    class Wrapped {
      constructor(private readonly enumerators: EnumeratorBuilder) {}

      @BuildEnumerator()
      build({ cursor }: BuildContext) {
        return this.enumerators.array([...'ab'], { cursor });
      }

      @AroundIteration()
      async around({ item }: IterationContext<unknown, never, never, string>, next: () => Promise<void>) {
        calls.push(`(${item}`);
        try {
          await next();
          calls.push(`${item})`);
        } catch (error) {
          calls.push(`${item}!`);
          throw error;
        }
      }

      @EachIteration()
      each(letter: string) {
        if (letter === 'b' && calls.length < 6) fail(letter);
      }
    }
    await ran(queues, { type: Wrapped as never });
    expect(calls).toEqual(['(a', 'a)', '(b', 'b!', '(b', 'b!', '(b', 'b)']);
  });
  it('R24: SkipLimitError has the error of the first item over the limit as its cause', async () => {
    const seen: unknown[] = [];
    const hook: Script['hook'] = (event, _, detail) => event.startsWith('fail') && seen.push(detail);
    await ran(queues, storyOf({ each: async (letter) => fail(letter), hook }, { then: 'skip', limit: 0 }));
    const [{ error }] = seen as [{ error: SkipLimitError }];
    expect(error).toBeInstanceOf(SkipLimitError);
    expect([error.limit, (error.cause as Error).message]).toEqual([0, 'cannot do a']);
  });

  it('R24: a job can skip its first item, its last item and all its items', async () => {
    const processor = storyOf({ each: async () => fail('anything') }, { then: 'skip' });
    const { app, job, result } = await ran(queues, processor);
    expect(result).toEqual({ processed: 0, skipped: 4 });
    const letters = await app.iterations.deadLetters(job);
    expect(letters.map(({ before, cursor }) => [before, cursor])).toEqual([
      [null, 0],
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(processor.story.slice(-2)).toEqual(['complete', 'end complete']);
  });
});

function fail(what: string): never {
  throw new Error(`cannot do ${what}`);
}

/** The milliseconds between consecutive times. */
function waits(at: readonly number[]): number[] {
  return at.slice(1).map((time, index) => time - (at[index] as number));
}
