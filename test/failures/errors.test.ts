import {
  DelayedError,
  type Job,
  RateLimitError,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  Worker,
} from 'bullmq';
import { describe, expect, it } from 'vitest';
import type { At } from '../../lib/enumerators/contract/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';

class TeapotError extends TypeError {}
class HopelessError extends UnrecoverableError {}
class LaterError extends DelayedError {}

describeQueues('errors of handlers, sources and hooks', BACKENDS, (queues) => {
  it('R22: a handler error reaches the job unwrapped, and the cursor stays after the last finished item', async () => {
    const error = new TeapotError('short and stout');
    const { type } = storyProcessor({
      each: (letter) => {
        if (letter === 'c') throw error;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));

    expect(job.failedReason).toBe('short and stout');
    expect(job.stacktrace).toEqual([error.stack]);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor: 1, processed: 2, failures: 1 });
  });

  it.each([
    ['undefined', undefined, 'undefined'],
    ['a string', 'oops', '"oops"'],
    ['null', null, 'null'],
    ['an object', { status: 500 }, '{ status: 500 }'],
  ])('R22: a handler that throws %s fails its job with an error that shows the value', async (_, thrown, shown) => {
    const { type } = storyProcessor({
      each: () => {
        throw thrown;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toBe(
      `Story.each threw ${shown}, which is not an Error. Throw an Error, which has a message and a stack`,
    );
  });

  const thrower = () => {
    throw 'oops';
  };
  it.each<[string, Parameters<typeof storyProcessor>[0]]>([
    ['Story.build', { build: thrower }],
    ['fetch of pages', { build: ({ cursor }, build) => build.pages({ cursor, fetch: thrower }) }],
    ['fetch of keyset', { build: ({ cursor }, build) => build.keyset({ cursor, fetch: thrower, key: String }) }],
    ['key of keyset', { build: ({ cursor }, build) => build.keyset({ cursor, fetch: async () => [1], key: thrower }) }],
    ['fetch of poll', { build: (_, build) => build.poll(thrower) }],
    ['ack of poll', { build: (_, build) => build.poll(async () => 'a', { ack: thrower }) }],
    [
      'when of throttle',
      {
        build: ({ cursor }, build) =>
          build.throttle(build.times(1, { cursor }), { when: thrower, retryInMs: 1 }) as never,
      },
    ],
    ['Level 1 of nested', { build: ({ cursor }, build) => build.nested<string>([thrower, thrower], { cursor }) }],
    [
      'Level 2 of nested',
      { build: ({ cursor }, build) => build.nested<string>([(at: At) => build.times(1, at), thrower], { cursor }) },
    ],
    ['The function given to csv.rows', { build: ({ cursor }, build) => build.csv.rows<string>(thrower, { cursor }) }],
    [
      'The enumerator of Story.build',
      {
        build: async function* () {
          yield ['a', 0];
          thrower();
        },
      },
    ],
    ['Story.start', { hook: thrower }],
  ])('R22: the error names what threw a string: %s', async (name, steps) => {
    const { type } = storyProcessor(steps);
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toBe(
      `${name} threw "oops", which is not an Error. Throw an Error, which has a message and a stack`,
    );
  });

  it('R22: a handler that throws an object without a prototype fails its job with a readable error', async () => {
    const { type, story } = storyProcessor({
      each: () => {
        throw Object.create(null);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toContain('which is not an Error. Throw an Error');
    expect(story.at(-1)).toBe('end fail');
  });

  it('R22: a subclass of UnrecoverableError fails the job without a retry', async () => {
    const { type, story } = storyProcessor({
      each: () => {
        throw new HopelessError('hopeless');
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}, { attempts: 10 }));
    expect(story).toEqual(['start', 'fail hopeless', 'end fail']);
  });

  it('R22: UnrecoverableError fails the job without a retry', async () => {
    const { type, story } = storyProcessor({
      each: () => {
        throw new UnrecoverableError('hopeless');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 10 }));
    expect(job.failedReason).toBe('hopeless');
    expect(story).toEqual(['start', 'fail hopeless', 'end fail']);
  });

  describe("R22: BullMQ's control errors interrupt the job after a checkpoint and do not count as failures", () => {
    const outcome = ['interrupt bullmq', 'end interrupt', 'resume'];
    const throwing = (throwOnce: (job: Job) => Promise<void>) => {
      let thrown = false;
      return storyProcessor({
        each: async (letter, context) => {
          if (letter !== 'b' || thrown) return;
          thrown = true;
          await throwOnce(context.job as Job);
        },
      });
    };

    it('DelayedError after job.moveToDelayed interrupts the job until it is promoted', async () => {
      const { type, story } = throwing(async (job) => {
        await job.moveToDelayed(Date.now() + 600_000, job.token);
        throw new DelayedError();
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.queue().add('story', { letters: 'abc' });
      await app.settled(job, ['delayed']);
      expect(await app.iterations.status(job)).toMatchObject({
        state: 'interrupted',
        cursor: 0,
        lastInterruption: { reason: 'bullmq' },
      });
      await job.promote();
      const done = await app.settled(job);
      expect(story).toEqual(['start', 'a', ...outcome, 'b', 'c', 'complete', 'end complete']);
      expect([done.failedReason, done.attemptsMade]).toEqual([undefined, 1]);
    });

    it('a subclass of DelayedError interrupts the job', async () => {
      const { type, story } = throwing(async () => {
        throw new LaterError();
      });
      const app = await queues.start({ processors: [type] });
      const done = await app.settled(await app.queue().add('story', { letters: 'abc' }));
      expect(story).toEqual(['start', 'a', ...outcome, 'b', 'c', 'complete', 'end complete']);
      expect(done.stalledCounter).toBe(0);
    });

    it('DelayedError from the complete hook interrupts the job', async () => {
      let delays = 1;
      const { type, story } = storyProcessor({
        hook: (event) => {
          if (event === 'complete' && delays-- > 0) throw new DelayedError();
        },
      });
      const app = await queues.start({ processors: [type] });
      const done = await app.settled(await app.queue().add('story', { letters: 'a' }));
      expect(story).toEqual(['start', 'a', 'complete', ...outcome, 'complete', 'end complete']);
      expect([await done.getState(), done.stalledCounter]).toEqual(['completed', 0]);
    });

    it('WaitingError after job.moveToWait interrupts the job', async () => {
      const { type, story } = throwing(async (job) => {
        await job.moveToWait(job.token);
        throw new WaitingError();
      });
      const app = await queues.start({ processors: [type] });
      await app.settled(await app.queue().add('story', { letters: 'abc' }));
      expect(story).toEqual(['start', 'a', ...outcome, 'b', 'c', 'complete', 'end complete']);
    });

    it('RateLimitError after queue.rateLimit interrupts the job', async () => {
      const { type, story } = throwing(async () => {
        await app.queue().rateLimit(50);
        throw new RateLimitError();
      });
      const app = await queues.start({
        processors: [type],
        iteration: { worker: { limiter: { max: 100, duration: 50 } } },
      });
      await app.settled(await app.queue().add('story', { letters: 'abc' }));
      expect(story).toEqual(['start', 'a', ...outcome, 'b', 'c', 'complete', 'end complete']);
    });

    it('WaitingChildrenError after job.moveToWaitingChildren interrupts the job until its child ends', async () => {
      const child = storyProcessor({}, { name: 'child' });
      const { type, story } = throwing(async (job) => {
        const { queue } = job as unknown as { queue: { qualifiedName: string } };
        await app
          .queue()
          .add('child', { letters: 'x' }, { parent: { id: job.id as string, queue: queue.qualifiedName } });
        if (await job.moveToWaitingChildren(job.token as string)) throw new WaitingChildrenError();
      });
      const app = await queues.start({ processors: [type, child.type] });
      await app.settled(await app.queue().add('story', { letters: 'abc' }));
      expect(story).toEqual(['start', 'a', ...outcome, 'b', 'c', 'complete', 'end complete']);
      expect(child.story).toContain('x');
    });
  });

  it('R23: attempts limits consecutive failures without progress, not all failures of a job', async () => {
    const letters = 'abcdefghijklmnopqrst';
    const failed = new Map<string, number>();
    const { type, story } = storyProcessor({
      each: (letter) => {
        const failures = failed.get(letter) ?? 0;
        failed.set(letter, failures + 1);
        if (failures < 2) throw new Error('flaky'); // every item fails twice
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters }, { attempts: 3 }));

    expect(await job.getState()).toBe('completed');
    expect(story.filter((event) => event.length === 1).join('')).toBe(letters);
    expect(job.stacktrace?.length).toBeLessThanOrEqual(10);
  });

  it('R23: an item that always fails ends the job after three tries, with the error of its last try', async () => {
    const tries: string[] = [];
    const { type } = storyProcessor({
      each: (letter) => {
        tries.push(letter);
        if (letter === 'c') throw new Error(`try ${tries.filter((tried) => tried === 'c').length}`);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 3 }));

    expect(tries.join('')).toBe('abccc');
    expect(job.failedReason).toBe('try 3');
  });

  it.each([
    ['fixed', { type: 'fixed', delay: 30 }, [30, 30, 30]],
    ['exponential', { type: 'exponential', delay: 10 }, [10, 20, 40]],
    ['custom', { type: 'custom' }, [11, 12, 13]],
  ])('R23: %s backoff depends on the consecutive failures of the item', async (_, backoff, expected) => {
    const asked: number[] = [];
    let failures = 4;
    const { type, script } = storyProcessor();
    script.each = async (letter, context) => {
      if (letter !== 'c') {
        // An earlier failure of another item must not count.
        if (letter === 'a' && context.run === 1) throw new Error('first');
        return;
      }
      if (--failures > 0) throw new Error('flaky');
    };
    const backoffStrategy = (attemptsMade?: number) => {
      asked.push(attemptsMade as number);
      return 10 + (attemptsMade as number);
    };
    const app = await queues.start({ processors: [type], iteration: { worker: { settings: { backoffStrategy } } } });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 4, backoff }));

    expect(await job.getState()).toBe('completed');
    const delays = queues.logs.flatMap((line) => /at the item after 1, .* retries in (\d+) ms/.exec(line)?.[1] ?? []);
    expect(delays.map(Number)).toEqual(expected);
    expect(asked).toEqual(backoff.type === 'custom' ? [1, 1, 2, 3] : []);
  });

  it('R23: progress in a run that an interruption ends resets the failure count', async () => {
    const flaky = new Set(['c', 'd']);
    const { type, story } = storyProcessor({
      each: (letter, context) => {
        if (flaky.delete(letter)) throw new Error(`flaky at ${letter}`);
        if (letter === 'c') context.retryIn(0);
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abcde' }, { attempts: 2 }));
    const early = ['interrupt retryIn', 'end interrupt', 'resume'];
    expect(story).toEqual([
      ...['start', 'a', 'b', 'end retry', 'resume', 'c', ...early],
      ...['end retry', 'resume', 'd', 'e', 'complete', 'end complete'],
    ]);
  });

  it('R23: a backoff strategy that returns -1 fails the job', async () => {
    const { type, story } = storyProcessor({
      each: () => {
        throw new Error('bad');
      },
    });
    const app = await queues.start({
      processors: [type],
      iteration: { worker: { settings: { backoffStrategy: () => -1 } } },
    });
    await app.settled(await app.queue().add('story', {}, { attempts: 4, backoff: { type: 'custom' } }));
    expect(story).toEqual(['start', 'fail bad', 'end fail']);
  });

  it('R23: a job with an unknown backoff strategy is still retried', async () => {
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'c') throw new Error('always');
      },
    });
    const app = await queues.start({ processors: [type] });
    const backoff = { type: 'unheard-of' };
    const done = await app.settled(await app.queue().add('story', {}, { attempts: 2, backoff }));
    expect(story).toEqual(['start', 'a', 'b', 'end retry', 'resume', 'fail always', 'end fail']);
    expect(done.failedReason).toBe('always');
    expect(queues.logs.some((line) => line.includes('Unknown backoff strategy unheard-of'))).toBe(true);
  });

  it('R23: a state that cannot be saved uses up attempts, and its items do not count as progress', async () => {
    const { type, story } = storyProcessor({
      each: (_letter, context) => {
        context.state = new Date() as never;
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'a' }, { attempts: 3 }));
    const last = [expect.stringContaining('fail state is a Date'), 'end fail'];
    expect(story).toEqual(['start', 'a', 'end retry', 'resume', 'a', 'end retry', 'resume', 'a', ...last]);
  });

  it('R23: a failed job that is retried manually resumes at its cursor with all its attempts', async () => {
    let failures = 4;
    const tries: string[] = [];
    const { type } = storyProcessor({
      each: (letter) => {
        tries.push(letter);
        if (letter === 'c' && failures-- > 0) throw new Error('flaky');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 3 }));
    expect(await job.getState()).toBe('failed');
    await job.retry('failed');
    const done = await app.settled(job, ['completed']);

    expect(tries.join('')).toBe('abcccccde');
    expect(done.returnvalue).toEqual({ processed: 5, skipped: 0 });
  });

  it('R23: a completed job that is retried manually starts from the beginning', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'ab' }));
    await job.retry('completed');
    await app.settled(job, ['completed']);
    const events = ['start', 'a', 'b', 'complete', 'end complete'];
    expect(story).toEqual([...events, ...events]);
  });

  it('R23: a completed job with a failed attempt starts from the beginning when retried manually', async () => {
    let failures = 1;
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'b' && failures-- > 0) throw new Error('flaky');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'ab' }, { attempts: 2 }));
    story.length = 0;
    await job.retry('completed');
    await app.settled(job, ['completed']);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });

  it('R23: a manually retried job starts from the beginning when its worker dies before a checkpoint', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'ab' }));
    await app.close();
    const producer = await queues.start({ iteration: { workers: false } });
    const again = (await producer.queue().getJob(job.id as string)) as Job;
    await again.retry('completed');
    const killed = new Worker('jobs', null as never, { ...queues.place, autorun: false, lockDuration: 50 } as never);
    expect((await killed.getNextJob('killed'))?.id).toBe(job.id);
    await killed.close(true);
    const rescuer = await queues.start({ processors: [type] });
    await rescuer.settled(again);
    const events = ['start', 'a', 'b', 'complete', 'end complete'];
    expect(story).toEqual([...events, ...events]);
  });

  it.each(['build', 'start of a generator', 'finally of a generator'])(
    'an error in the %s fails the attempt',
    async (where) => {
      let failures = 1;
      const fail = (here: string) => {
        if (here === where && failures-- > 0) throw new Error(`in the ${where}`);
      };
      const { type, story } = storyProcessor({
        build: ({ cursor }) => {
          fail('build');
          return (function* () {
            fail('start of a generator');
            try {
              for (const [index, letter] of ['a', 'b'].entries())
                if (index > ((cursor as number | null) ?? -1)) yield [letter, index];
            } finally {
              fail('finally of a generator');
            }
          })();
        },
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.settled(await app.queue().add('story', {}, { attempts: 2 }));
      expect(await job.getState()).toBe('completed');
      expect(story.filter((event) => event.length === 1)).toEqual(['a', 'b']);
      expect(story.filter((event) => event === 'end retry').length).toBe(1);
    },
  );

  it('a run that ends early runs the finally block of its generator before it puts the job back', async () => {
    const seen: string[] = [];
    const { type } = storyProcessor({
      build: ({ cursor }) =>
        (async function* () {
          try {
            for (const [index, letter] of ['a', 'b', 'c'].entries())
              if (index > ((cursor as number | null) ?? -1)) yield [letter, index];
          } finally {
            seen.push('closed');
          }
        })(),
      each: (letter, context) => {
        if (letter === 'a') context.retryIn(0);
        seen.push(letter);
      },
      hook: (event) => {
        seen.push(event);
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    const early = ['start', 'a', 'closed', 'interrupt retryIn', 'end interrupt'];
    expect(seen).toEqual([...early, 'resume', 'b', 'c', 'closed', 'complete', 'end complete']);
  });

  it('a builder that returns undefined fails the job with an error that names the method', async () => {
    const { type } = storyProcessor({ build: () => undefined });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toContain('Story.build returned undefined; it must return an enumerator');
  });
});
