import { Injectable } from '@nestjs/common';
import { DelayedError, type Job, RateLimitError, UnrecoverableError } from 'bullmq';
import { expect, it } from 'vitest';
import type { At } from '../../lib/enumerators/contract/index.js';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  type IterationOptions,
  IterativeProcessor,
  type Json,
  type ProcessorOptions,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { numbers } from '../support/csv.js';
import { KINDS, type Kind } from '../support/levels.js';
import { type Data, interrupted, type Script, type StoryProcessor, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

type Context = IterationContext<Data>;

/** A story's handler that records which letters begin, and holds some letters until they are released. */
class Flight {
  /** The letters that began, by run. */
  readonly runs: string[] = [];
  /** The most handlers that were at work at the same time. */
  most = 0;
  /** The most items that had begun after the position. */
  beyond = 0;
  #atWork = 0;
  #processedBefore = 0;
  readonly #gates: ReadonlyMap<string, Gate>;

  constructor(
    held: string,
    private readonly handle: (letter: string, context: Context) => unknown = () => {},
  ) {
    this.#gates = new Map([...held].map((letter) => [letter, new Gate()]));
  }

  readonly each = async (letter: string, context: Context): Promise<void> => {
    const run = context.run - 1;
    if (this.runs[run] === undefined) this.#processedBefore = context.processed;
    this.runs[run] = (this.runs[run] ?? '') + letter;
    this.beyond = Math.max(this.beyond, this.runs[run].length - (context.processed - this.#processedBefore));
    this.most = Math.max(this.most, ++this.#atWork);
    try {
      await this.#gates.get(letter)?.wait();
      await this.handle(letter, context);
    } finally {
      this.#atWork--;
    }
  };

  /** Resolves when all these letters are held. */
  async holds(letters: string): Promise<void> {
    for (const letter of letters) await this.#gates.get(letter)?.reached;
  }

  release(letters: string): void {
    for (const letter of letters) this.#gates.get(letter)?.open();
  }
}

function storyOf(script: Script, itemConcurrency: number, options: Partial<ProcessorOptions> = {}): StoryProcessor {
  return storyProcessor(script, { itemConcurrency, checkpoint: { everyItems: 1 }, ...options });
}

/** The letters that were handled, in the order in which they finished. */
const done = ({ story }: StoryProcessor) => story.filter((event) => event.length === 1).join('');

const sorted = (letters: string) => [...letters].sort().join('');

const hooks = ({ story }: StoryProcessor) => story.filter((event) => event.length > 1);

async function started(
  queues: Queues,
  { type }: { type: StoryProcessor['type'] },
  {
    letters = 'abcdefgh',
    iteration = {},
    ...job
  }: { letters?: string; iteration?: IterationOptions; [option: string]: unknown } = {},
): Promise<{ app: TestApp; job: Job }> {
  const app = await queues.start({ processors: [type], iteration });
  return { app, job: await app.queue().add('story', { letters }, job) };
}

function fail(what: string): never {
  throw new Error(`cannot do ${what}`);
}

describeQueues('items in flight', BACKENDS, (queues) => {
  it('R26: at most itemConcurrency handlers are in flight, and items begin in the order of the source', async () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz';
    const flight = new Flight('abcd', async (letter) => {
      for (let turns = (letter.charCodeAt(0) * 7) % 5; turns > 0; turns--) await new Promise(setImmediate);
    });
    const story = storyOf({ each: flight.each }, 4);
    const { app, job } = await started(queues, story, { letters });
    await flight.holds('abcd');
    flight.release('bcd');
    await until('all but the first are done', () => done(story).length === 3);
    flight.release('a');
    const { returnvalue } = await app.settled(job);

    expect(flight).toMatchObject({ runs: [letters], most: 4, beyond: 4 });
    expect(done(story)).not.toBe(letters);
    expect(sorted(done(story))).toBe(letters);
    expect(returnvalue).toEqual({ processed: 26, skipped: 0 });
    expect(hooks(story)).toEqual(['start', 'complete', 'end complete']);
  });

  it('R26: the checkpoint stays before an unfinished item, and items begin at most itemConcurrency ahead', async () => {
    const flight = new Flight('c');
    const story = storyOf({ each: flight.each }, 4);
    const { app, job } = await started(queues, story);
    await until('all but the held one are done', () => done(story) === 'abdef');
    await until('b is saved', async () => (await app.iterations.status(job)).cursor === 1);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'running', cursor: 1, processed: 2 });
    expect([flight.runs, done(story)]).toEqual([['abcdef'], 'abdef']);

    flight.release('c');
    await app.settled(job);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'completed', cursor: 7, processed: 8 });
    expect(flight.runs).toEqual(['abcdefgh']);
  });

  // Sources do not depend on the backend.
  it.each(queues.backend === 'redis' ? (Object.keys(KINDS) as Kind[]) : (['array', 'async generator'] as const))(
    'R1, R26: a stopped run over %s finishes items in flight; later runs handle the rest',
    async (kind) => {
      const letters = 'abcdefghijklmn';
      let at = '';
      const flight = new Flight('', (letter, context) => (letter < at ? undefined : interrupted(context)));
      const story = storyOf(
        { build: ({ cursor }, enumerators) => KINDS[kind](enumerators, [...letters], { cursor }), each: flight.each },
        3,
      );
      const producer = await queues.start({ iteration: { workers: false } });
      const job = await producer.queue().add('story', {});
      for (const further of [1, 0, 2]) {
        at = letters[flight.runs.join('').length + further] as string;
        const app = await queues.start({ processors: [story.type] });
        await until(`${at} is in flight`, () => flight.runs.join('').includes(at));
        await app.close();
        expect((await producer.iterations.status(job)).processed).toBe(done(story).length);
      }
      at = 'z';
      const last = await queues.start({ processors: [story.type] });
      const { returnvalue, attemptsMade } = await last.settled(job);

      expect([flight.runs.length, flight.runs.join('')]).toEqual([4, letters]);
      expect(sorted(done(story))).toBe(letters);
      expect([returnvalue, attemptsMade]).toEqual([{ processed: letters.length, skipped: 0 }, 1]);
    },
  );

  it('R15, R26: the shutdown deadline puts the job back with its cursor before the item in flight', async () => {
    let aborted = false;
    const flight = new Flight('b', (_, { signal }) => {
      aborted = signal.aborted;
    });
    const story = storyOf({ each: flight.each }, 3);
    const { app, job } = await started(queues, story, { iteration: { shutdown: { deadlineMs: 100 } } });
    await until('all but the held one are done', () => done(story) === 'acd');
    await app.close();
    expect([flight.runs, done(story), aborted]).toEqual([['abcd'], 'acd', false]);
    const next = await queues.start({ iteration: { workers: false } });
    expect(await next.iterations.status(job)).toMatchObject({
      state: 'interrupted',
      cursor: 0,
      processed: 1,
      lastInterruption: { reason: 'shutdown' },
    });

    flight.release('b');
    await until('the handler that outlived the deadline has seen the signal', () => aborted);
    story.story.length = 0;
    const resumed = await queues.start({ processors: [story.type] });
    const { returnvalue } = await resumed.settled(job);
    expect([flight.runs, sorted(done(story))]).toEqual([['abcd', 'bcdefgh'], 'bcdefgh']);
    expect(returnvalue).toEqual({ processed: 8, skipped: 0 });
  });

  it('R1, R22: a retry starts with the failed item and repeats at most n - 1 items finished after it', async () => {
    const flight = new Flight('b', (letter, { run }) => letter === 'b' && run === 1 && fail(letter));
    const story = storyOf({ each: flight.each }, 4);
    const { app, job } = await started(queues, story, { attempts: 2 });
    await until('three later items are done', () => done(story) === 'acde');
    flight.release('b');
    const { returnvalue, stacktrace } = await app.settled(job);

    expect(flight.runs).toEqual(['abcde', 'bcdefgh']);
    expect(sorted(done(story))).toBe('abccddeefgh');
    expect(hooks(story)).toEqual(['start', 'end retry', 'resume', 'complete', 'end complete']);
    expect([returnvalue, stacktrace?.length]).toEqual([{ processed: 8, skipped: 0 }, 1]);
  });

  it('R22: a job fails with the error of the earliest item in source order, whichever failed first', async () => {
    const flight = new Flight('bcd', (letter) => 'bc'.includes(letter) && fail(letter));
    const failed: unknown[] = [];
    const hook: Script['hook'] = (event, { item }) => event.startsWith('fail') && failed.push(item);
    const story = storyOf({ each: flight.each, hook }, 3);
    const { app, job } = await started(queues, story);
    await flight.holds('bcd');
    flight.release('c');
    await app.iterations.status(job); // meanwhile nothing begins, and nothing ends
    flight.release('b');
    await app.iterations.status(job);
    expect(await app.queue().getJobState(job.id as string)).toBe('active');
    flight.release('d');
    const { failedReason } = await app.settled(job);

    expect([failedReason, failed]).toEqual(['cannot do b', ['b']]);
    expect([flight.runs, done(story)]).toEqual([['abcd'], 'ad']);
    expect(hooks(story)).toEqual(['start', 'fail cannot do b', 'end fail']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor: 0, processed: 1, failures: 1 });
  });

  it('R23: attempts limits failures without progress, so an item that always fails ends the job', async () => {
    const failures = new Map<string, number>();
    const flight = new Flight('', (letter) => {
      const count = (failures.get(letter) ?? 0) + 1;
      failures.set(letter, count);
      if (letter === 'g' || count <= 2) fail(`${letter}, ${count}`);
    });
    const story = storyOf({ each: flight.each }, 3);
    const { app, job } = await started(queues, story, { attempts: 3 });
    const { failedReason } = await app.settled(job);

    expect(sorted(done(story)).replace(/(.)\1*/g, '$1')).toMatch(/^abcdefh?$/);
    expect(flight.runs.length).toBeGreaterThan(6);
    expect(flight.runs.slice(-2).map((begun) => begun[0])).toEqual(['g', 'g']);
    expect(failedReason).toBe(`cannot do g, ${failures.get('g')}`);
    expect(await app.iterations.status(job)).toMatchObject({ cursor: 5, processed: 6, failures: 3 });
  });

  it('R24: an item that is retried in place uses one slot only and is not a failure of the job', async () => {
    const tries: string[] = [];
    const flight = new Flight('', async (letter) => {
      if (letter !== 'b') return;
      tries.push(done(story));
      if (tries.length === 2) await until('the other items are done', () => done(story) === 'acd');
      if (tries.length < 3) fail(letter);
    });
    const story = storyOf({ each: flight.each }, 3, { itemFailure: { attempts: 3, backoffMs: 0 } });
    const { app, job } = await started(queues, story);
    const { returnvalue, attemptsMade, stacktrace } = await app.settled(job);

    expect(tries.at(-1)).toBe('acd');
    expect(flight.runs[0]?.replaceAll('b', '')).toBe('acdefgh');
    expect(sorted(done(story))).toBe('abcdefgh');
    expect([returnvalue, attemptsMade, stacktrace]).toEqual([{ processed: 8, skipped: 0 }, 1, []]);
  });

  it('R14, R24: a shutdown ends the wait for the next try, and the next run starts with that item', async () => {
    const flight = new Flight('', (letter, { run }) => letter === 'b' && run === 1 && fail(letter));
    const story = storyOf({ each: flight.each }, 4, { itemFailure: { attempts: 2, backoffMs: () => 600_000 } });
    const { app, job } = await started(queues, story, { letters: 'abc' });
    await until('the others are done', () => done(story) === 'ac');
    await app.close();
    const next = await queues.start({ processors: [story.type] });
    const { returnvalue, attemptsMade } = await next.settled(job);
    expect(flight.runs).toEqual(['abc', 'bc']);
    expect(hooks(story).slice(1, 4)).toEqual(['interrupt shutdown', 'end interrupt', 'resume']);
    expect([returnvalue, attemptsMade]).toEqual([{ processed: 3, skipped: 0 }, 1]);
  });

  it('R24: exactly the failed items become dead letters, once and in order, whichever failed first', async () => {
    const flight = new Flight('bef', (letter) => 'bdgh'.includes(letter) && fail(letter));
    const story = storyOf({ each: flight.each }, 4, { itemFailure: { then: 'skip' } });
    const { app, job } = await started(queues, story);
    await until('all but the held one are done', () => done(story) === 'ac');
    await app.iterations.status(job);
    expect(hooks(story)).toEqual(['start']);
    flight.release('b');
    await flight.holds('ef'); // again in flight together
    flight.release('ef');
    const { returnvalue } = await app.settled(job);

    const letters = await app.iterations.deadLetters(job);
    expect(letters.map(({ before, cursor, error, tries }) => [before, cursor, error.message, tries])).toEqual([
      [0, 1, 'cannot do b', 1],
      [2, 3, 'cannot do d', 1],
      [5, 6, 'cannot do g', 1],
      [6, 7, 'cannot do h', 1],
    ]);
    expect(hooks(story).slice(1, -2)).toEqual([...'bdgh'].map((letter) => `skip cannot do ${letter}`));
    expect([returnvalue, flight.runs, sorted(done(story))]).toEqual([
      { processed: 4, skipped: 4 },
      ['abcdefgh'],
      'acef',
    ]);
  });

  it.each([
    ['when refuses', { when: (error: unknown) => !(error as Error).message.endsWith('c') }, 'cannot do c'],
    ['exceeds the limit', { limit: 1 }, 'The job has skipped 1 item'],
  ])(
    'R24: an error that %s fails the job, keeps earlier skips and skips nothing after it',
    async (_, options, reason) => {
      const flight = new Flight('b', (letter) => 'bcd'.includes(letter) && fail(letter));
      const story = storyOf({ each: flight.each }, 4, { itemFailure: { then: 'skip', ...options } });
      const { app, job } = await started(queues, story);
      await flight.holds('b');
      flight.release('b');
      const { failedReason } = await app.settled(job);

      expect(failedReason).toContain(reason);
      expect((await app.iterations.deadLetters(job)).map(({ cursor }) => cursor)).toEqual([1]);
      expect(await app.iterations.status(job)).toMatchObject({ cursor: 1, processed: 1, skipped: 1 });
    },
  );

  it('R24: a failed batch is halved while others are in flight, and only the bad record is skipped', async () => {
    const calls: string[] = [];
    const [first, last] = [new Gate(), new Gate()];
    const each = async (rows: unknown) => {
      const call = (rows as { n: string }[]).map(({ n }) => n).join();
      calls.push(call);
      if (call.startsWith('1,')) await first.wait();
      if (call === '5,6,7,8') await last.reached;
      if (call.startsWith('9,')) await last.wait();
      if (call.split(',').includes('6')) fail(call);
    };
    const csv = Buffer.from(numbers(12));
    const story = storyOf(
      { build: ({ cursor }, enumerators) => enumerators.csv.batches(csv, { cursor, batchSize: 4 }), each },
      3,
      { itemFailure: { then: 'skip' } },
    );
    const { app, job } = await started(queues, story);
    await Promise.all([first.reached, last.reached]);
    await app.iterations.status(job);
    expect(calls).toEqual(['1,2,3,4', '5,6,7,8', '9,10,11,12']);
    first.open();
    await until('the batch has been halved', () => calls.at(-1) === '7,8');
    last.open();
    const { returnvalue } = await app.settled(job);

    expect(calls.slice(3)).toEqual(['5,6', '5', '6', '7,8']);
    expect(returnvalue).toEqual({ processed: 3, skipped: 1 });
    const letters = await app.iterations.deadLetters(job);
    expect(letters.map(({ error }) => error.message)).toEqual(['cannot do 6']);
  });

  it.each([false, true])(
    'stop({ silent: %s }) starts no further item, lets items in flight finish and completes the job',
    async (silent) => {
      const flight = new Flight('abc', (letter, context) => letter === 'b' && context.stop({ silent }));
      const story = storyOf({ each: flight.each }, 3);
      const { app, job } = await started(queues, story);
      await flight.holds('abc');
      flight.release('b');
      await until('b is done', () => done(story) === 'b');
      flight.release('a');
      await until('the checkpoint is after b', async () => (await app.iterations.status(job)).cursor === 1);
      expect(hooks(story)).toEqual(['start']);
      flight.release('c');
      const { returnvalue } = await app.settled(job);

      expect([flight.runs, done(story)]).toEqual([['abc'], 'bac']);
      expect(hooks(story)).toEqual(['start', ...(silent ? [] : ['complete']), 'end complete']);
      expect(returnvalue).toEqual({ processed: 3, skipped: 0 });
    },
  );

  it('an earlier item that fails after stop() fails the attempt, and the next run stops at the same item', async () => {
    const flight = new Flight('abc', (letter, context) => {
      if (letter === 'a' && context.run === 1) fail(letter);
      if (letter === 'b') context.stop();
    });
    const story = storyOf({ each: flight.each }, 3);
    const { app, job } = await started(queues, story, { attempts: 2 });
    await flight.holds('abc');
    flight.release('b');
    await until('b is done', () => done(story) === 'b');
    flight.release('ac');
    const { returnvalue } = await app.settled(job);

    expect(hooks(story)).toEqual(['start', 'end retry', 'resume', 'complete', 'end complete']);
    expect(flight.runs).toEqual(['abc', expect.stringMatching(/^abc?$/)]); // b stops as soon as it has begun
    expect(returnvalue).toEqual({ processed: flight.runs[1]?.length, skipped: 0 });
  });

  it('a later item that fails after stop() only causes a warning', async () => {
    const flight = new Flight('abc', (letter, context) => {
      if (letter === 'b') context.stop();
      if (letter === 'c') fail(letter);
    });
    const story = storyOf({ each: flight.each }, 3, { itemFailure: { then: 'skip' } });
    const { app, job } = await started(queues, story);
    await flight.holds('abc');
    flight.release('c');
    await app.iterations.status(job);
    flight.release('ba');
    const { returnvalue } = await app.settled(job);

    expect([returnvalue, hooks(story)]).toEqual([{ processed: 2, skipped: 0 }, ['start', 'complete', 'end complete']]);
    expect([flight.runs, await app.iterations.deadLetters(job)]).toEqual([['abc'], []]);
    expect(queues.logs.filter((line) => line.includes('after the one that stopped the job has failed'))).toHaveLength(
      1,
    );
  });

  it('retryIn() lets items in flight finish, starts no further item, and the next run handles the rest', async () => {
    const flight = new Flight('abc', (letter, context) => letter === 'b' && context.retryIn(0));
    const story = storyOf({ each: flight.each }, 3);
    const { app, job } = await started(queues, story);
    await flight.holds('abc');
    flight.release('b');
    await until('b is done', () => done(story) === 'b');
    flight.release('ac');
    await app.settled(job);

    expect([flight.runs, sorted(done(story))]).toEqual([['abc', 'defgh'], 'abcdefgh']);
    expect(hooks(story).slice(1, 4)).toEqual(['interrupt retryIn', 'end interrupt', 'resume']);
  });

  it.each<[string, (job: Job) => Promise<void>]>([
    ['RateLimitError', () => Promise.reject(new RateLimitError())],
    [
      'DelayedError after job.moveToDelayed',
      async (job) => {
        await job.moveToDelayed(Date.now() + 20, job.token);
        throw new DelayedError();
      },
    ],
  ])('R22: %s ends the run after its items in flight, without a failure', async (_, end) => {
    const flight = new Flight('abc', (letter, { job, run }) =>
      letter === 'b' && run === 1 ? end(job as Job) : undefined,
    );
    const story = storyOf({ each: flight.each }, 3, { itemFailure: { attempts: 3, then: 'skip' } });
    const iteration = { worker: { limiter: { max: 100, duration: 20 } } };
    const { app, job } = await started(queues, story, { iteration });
    await flight.holds('abc');
    flight.release('b');
    await app.iterations.status(job);
    expect(await app.queue().getJobState(job.id as string)).toBe('active');
    flight.release('ac');
    const { attemptsMade, returnvalue, stacktrace } = await app.settled(job);

    expect([flight.runs, sorted(done(story))]).toEqual([['abc', 'bcdefgh'], 'abccdefgh']);
    expect(hooks(story).slice(1, 4)).toEqual(['interrupt bullmq', 'end interrupt', 'resume']);
    expect([returnvalue, attemptsMade, stacktrace]).toEqual([{ processed: 8, skipped: 0 }, 1, []]);
  });

  it('R22: UnrecoverableError fails the job without a retry once the items in flight have finished', async () => {
    const flight = new Flight('ac', (letter) => {
      if (letter === 'b') throw new UnrecoverableError('never again');
    });
    const story = storyOf({ each: flight.each }, 3, { itemFailure: { attempts: 3, then: 'skip' } });
    const { app, job } = await started(queues, story, { attempts: 5 });
    await flight.holds('ac');
    flight.release('ca');
    const { failedReason } = await app.settled(job);

    expect([failedReason, flight.runs, done(story)]).toEqual(['never again', ['abc'], 'ca']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor: 0, processed: 1 });
  });

  it('R3: maxRuntimeMs starts when the first item is finished, and then lets the items in flight finish', async () => {
    const flight = new Flight('a');
    async function* source({ cursor }: At) {
      for (let index = ((cursor as number | null) ?? -1) + 1; index < 8; index++) {
        const since = Date.now();
        await until('more time has passed than a run has', () => Date.now() > since + 1);
        yield ['abcdefgh'[index] as string, index] as const;
      }
    }
    const story = storyOf({ build: source, each: flight.each }, 3, { maxRuntimeMs: 1 });
    const { app, job } = await started(queues, story);
    await until('all but the first are done', () => done(story) === 'bc');
    expect(hooks(story)).toEqual(['start']);
    flight.release('a');
    const { returnvalue } = await app.settled(job);

    expect(hooks(story).filter((event) => event === 'interrupt maxRuntime').length).toBeGreaterThan(0);
    expect([flight.runs.join(''), sorted(done(story))]).toEqual(['abcdefgh', 'abcdefgh']);
    expect(returnvalue).toEqual({ processed: 8, skipped: 0 });
  });

  it('each handler and @AroundIteration call has its own context.item; all share one saved state', async () => {
    const gates = [new Gate(), new Gate()];
    const seen: string[] = [];
    type Counted = IterationContext<unknown, never, { count: number } | null, string>;

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'story', itemConcurrency: 3 })
    class Wrapped {
      constructor(private readonly enumerators: EnumeratorBuilder) {}

      @BuildEnumerator()
      build({ cursor }: BuildContext) {
        return this.enumerators.array([...'abcdef'], { cursor });
      }

      @AroundIteration()
      async around(context: IterationContext<unknown, never, never, string>, next: () => Promise<void>) {
        const { item } = context;
        await next();
        seen.push(`${item}${context.item}`);
      }

      @EachIteration()
      async each(letter: string, context: Counted) {
        if (letter === 'a') await gates[0]?.wait();
        if (letter === 'c') gates[0]?.open();
        context.state = { count: (context.state?.count ?? 0) + 1 };
        if (letter === 'c') context.retryIn(0);
        seen.push(`${letter}${context.item}`);
      }
    }
    const { app, job } = await started(queues, { type: Wrapped });
    const { progress } = await app.settled(job);
    expect(seen.sort()).toEqual([...'abcdef'].flatMap((letter) => [letter + letter, letter + letter]));
    expect(progress).toMatchObject({ state: { count: 6 }, run: 2 });
  });

  it.each([
    ['an async generator', true],
    ['a generator', false],
  ])('%s continues while items are in flight, and is closed before the job is put back', async (_, later) => {
    const seen: string[] = [];
    const flight = new Flight('', async (letter, context) => {
      if (letter === 'a') await until('the source has yielded c', () => seen.includes('made c'));
      if (letter === 'c' && context.run === 1) context.retryIn(0);
      if (letter === 'e' && context.run === 2) fail(letter);
    });
    function* generate({ cursor }: At): Generator<readonly [string, number]> {
      try {
        for (let index = ((cursor as number | null) ?? -1) + 1; index < 6; index++) {
          seen.push(`made ${'abcdef'[index]}`);
          yield ['abcdef'[index] as string, index];
        }
      } finally {
        seen.push('closed');
      }
    }
    async function* generateLater(at: At) {
      yield* generate(at);
    }
    const story = storyOf(
      {
        build: (at) => (later ? generateLater(at) : generate(at)),
        each: flight.each,
        hook: (event) => {
          if (event.startsWith('end')) seen.push(event);
        },
      },
      3,
    );
    const { app, job } = await started(queues, story, { attempts: 2 });
    await app.settled(job);

    const ends = seen.filter((event) => !event.startsWith('made'));
    expect(ends).toEqual(['closed', 'end interrupt', 'closed', 'end retry', 'closed', 'end complete']);
    expect(flight.runs.map((begun) => begun[0])).toEqual(['a', 'd', 'e']);
  });

  it('poll acknowledges an item only after all earlier items are finished, and a stop loses no item', async () => {
    const queue = [...'abcdefgh'];
    const acked: string[] = [];
    const ack = async (letter: unknown) => void acked.push(letter as string);
    const flight = new Flight('af', async (letter, context) => {
      if (letter >= 'd') await interrupted(context);
    });
    const script: Script = {
      build: (_, enumerators) => enumerators.poll(async () => queue.shift(), { ack }),
      each: flight.each,
    };
    const story = storyOf(script, 3);
    const { app, job } = await started(queues, story);
    await until('the items after the first are done', () => done(story) === 'bc');
    expect([acked, (await app.iterations.status(job)).processed]).toEqual([[], 0]);
    flight.release('a');
    await flight.holds('f');
    expect([acked.join(''), flight.runs]).toEqual(['abc', ['abcdef']]);

    const closed = app.close();
    flight.release('f');
    await closed;
    expect(acked.join('')).toBe(sorted(done(story)));
    script.each = async () => {};
    const next = await queues.start({ processors: [story.type] });
    const { returnvalue } = await next.settled(job);
    expect([acked.join(''), sorted(done(story)), returnvalue]).toEqual([
      'abcdefgh',
      'abcdefgh',
      { processed: 8, skipped: 0 },
    ]);
  });

  it('poll without ack handles every taken item once when the run is stopped', async () => {
    const queue = [...'abcdefgh'];
    const flight = new Flight('', (letter, context) => (letter < 'c' ? undefined : interrupted(context)));
    const script: Script = {
      build: (_, enumerators) => enumerators.poll(async () => queue.shift()),
      each: flight.each,
    };
    const story = storyOf(script, 3);
    const { app, job } = await started(queues, story);
    await until('c, d and e are in flight', () => flight.runs[0] === 'abcde');
    await app.close();
    expect(sorted(done(story)) + queue.join('')).toBe('abcdefgh');

    script.each = async () => {};
    const next = await queues.start({ processors: [story.type] });
    expect((await next.settled(job)).returnvalue).toEqual({ processed: 8, skipped: 0 });
    expect(sorted(done(story))).toBe('abcdefgh');
  });

  it.each([
    ['a failed item ends the run', () => fail('b'), 'failed'],
    ['stop() ends the job', ({ stop }: Context) => stop(), 'completed'],
  ])('%s while an idle poll waits for items', async (_, end, state) => {
    const queue = [...'ab'];
    const flight = new Flight('b', (letter, context) => letter === 'b' && end(context));
    const build: Script['build'] = (_at, enumerators) =>
      enumerators.poll(async () => queue.shift(), { idleMs: 2 ** 31 - 1 });
    const story = storyOf({ build, each: flight.each }, 3);
    const { app, job } = await started(queues, story);
    await flight.holds('b');
    flight.release('b');
    await app.settled(job, [state]);
    expect(await app.iterations.status(job)).toMatchObject({ state, processed: state === 'failed' ? 1 : 2 });
  });

  it('throttle lets the items in flight finish, and the job resumes after them', async () => {
    const flight = new Flight('ac');
    let pauses = 1;
    const when = () => flight.runs[0]?.length === 4 && pauses-- > 0;
    const build: Script['build'] = ({ cursor, data }, enumerators) =>
      enumerators.throttle(enumerators.array([...(data.letters as string)], { cursor }), { when, retryInMs: 0 });
    const story = storyOf({ build, each: flight.each }, 4);
    const { app, job } = await started(queues, story);
    await until('the source pauses', () => pauses === 0);
    flight.release('ac');
    await app.settled(job);

    expect([flight.runs, sorted(done(story))]).toEqual([['abcd', 'efgh'], 'abcdefgh']);
    expect(hooks(story).slice(1, 4)).toEqual(['interrupt throttle', 'end interrupt', 'resume']);
  });

  it('nested keeps its cursor before the first unfinished item, across empty and null inner levels', async () => {
    const inner: Record<string, string | null> = { v: 'ab', w: '', x: null, y: 'cd', z: '' };
    const build: Script['build'] = ({ cursor }, enumerators) =>
      enumerators.nested<string>(
        [
          (at: At) => enumerators.array(Object.keys(inner), at),
          (outer: string, at: At) => (inner[outer] === null ? null : enumerators.array([...(inner[outer] ?? '')], at)),
        ],
        { cursor },
      );
    const flight = new Flight('b');
    const story = storyOf({ build, each: flight.each }, 6);
    const { app, job } = await started(queues, story, { iteration: { shutdown: { deadlineMs: 50 } } });
    await until('the others are done', () => done(story) === 'acd');
    const held = await until('a is saved', async () => {
      const status = await app.iterations.status(job);
      return status.processed > 0 && status;
    });
    expect(held).toMatchObject({ cursor: { outer: { at: 0 }, inner: { at: 0 } }, processed: 1 });
    await app.close();
    const next = await queues.start({ processors: [story.type] });
    flight.release('b');
    await next.settled(job);
    expect(flight.runs).toEqual(['abcd', 'bcd']);
    expect(await next.iterations.status(job)).toMatchObject({ processed: 4, state: 'completed' });
  });

  it('nested moves its cursor past empty inner levels once all earlier items are finished', async () => {
    const entered: string[] = [];
    const inner = (outer: string, at: At, enumerators: EnumeratorBuilder) => {
      entered.push(outer);
      return outer === 'v' ? enumerators.array([...'ab'], at) : null;
    };
    const build: Script['build'] = ({ cursor }, enumerators) =>
      enumerators.nested<string>(
        [
          (at: At) =>
            enumerators.throttle(enumerators.array([...'vwxy'], at), {
              when: () => entered.at(-1) === 'x',
              retryInMs: 600_000,
            }),
          (outer: string, at: At) => inner(outer, at, enumerators),
        ],
        { cursor },
      );
    const flight = new Flight('a');
    const story = storyOf({ build, each: flight.each }, 6);
    const { app, job } = await started(queues, story);
    await until('the source pauses', () => done(story) === 'b' && entered.at(-1) === 'x');
    expect((await app.iterations.status(job)).cursor).toBeNull();
    flight.release('a');
    await app.settled(job, ['delayed']);
    expect(await app.iterations.status(job)).toMatchObject({ cursor: { outer: { at: 2 } }, processed: 2 });
  });

  it('take finishes exactly its number of items over all runs, also when an error repeats some items', async () => {
    const flight = new Flight('', async (letter, { run }) => {
      if (letter !== 'c' || run > 1) return;
      await until('two later items are done', () => done(story) === 'abde');
      fail(letter);
    });
    const build: Script['build'] = ({ cursor }, enumerators) =>
      enumerators.take(enumerators.array([...'abcdefgh'], { cursor }), 6);
    const story = storyOf({ build, each: flight.each }, 3);
    const { app, job } = await started(queues, story, { attempts: 2 });
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 6, skipped: 0 });
    expect(flight.runs).toEqual(['abcde', 'cdef']);
  });

  it('R2: each item in flight keeps its own cursor when the generator reuses one cursor object', async () => {
    const flight = new Flight('c');
    function* generate(cursor: { at: number } | null): Generator<readonly [string, { at: number }]> {
      const shared = { at: cursor?.at ?? -1 };
      while (shared.at < 7) yield ['abcdefgh'[++shared.at] as string, shared];
    }
    const story = storyOf({ build: ({ cursor }) => generate(cursor as { at: number } | null), each: flight.each }, 4);
    const { app, job } = await started(queues, story, { iteration: { shutdown: { deadlineMs: 50 } } });
    await until('all but the held one are done', () => done(story) === 'abdef');
    await app.close();
    const next = await queues.start({ processors: [story.type] });
    flight.release('c');
    await next.settled(job);
    expect(flight.runs).toEqual(['abcdef', 'cdefgh']);
    expect(await next.iterations.status(job)).toMatchObject({ cursor: { at: 7 }, processed: 8 });
  });

  it('R12: an empty source completes with hooks, and a builder that returns null completes without', async () => {
    const script: Script = {};
    const story = storyOf(script, 5);
    const { app, job } = await started(queues, story, { letters: '' });
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 0, skipped: 0 });
    script.build = () => null;
    const nothing = await app.settled(await app.queue().add('story', {}));
    expect(nothing.returnvalue).toEqual({ processed: 0, skipped: 0 });
    expect(story.story).toEqual(['start', 'complete', 'end complete']);
  });

  it('R13: a synchronous handler yields to the event loop and stops at a shutdown', async () => {
    let ticks = 0;
    let last = -1;
    let timer: NodeJS.Timeout | undefined;
    const build: Script['build'] = ({ cursor }, enumerators) => enumerators.times(3e6, { cursor });
    const each = (item: unknown) => {
      timer ??= setInterval(() => ticks++, 1);
      if (item !== ++last) fail(`${item} after ${last}`);
    };
    const story = storyProcessor({ build, each }, { itemConcurrency: 10 });
    const { app, job } = await started(queues, story);
    await until('the event loop turns', () => ticks > 10);
    clearInterval(timer);
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    const { cursor, lastInterruption, processed } = await reader.iterations.status(job);
    expect([cursor, processed, lastInterruption]).toEqual([last, last + 1, { reason: 'shutdown' }]);
  });

  it('R25, R26: start-up refuses transactions with itemConcurrency, also when forRoot sets it', async () => {
    const host = Object.fromEntries(
      ['run', 'claim', 'save', 'read', 'remove', 'isTransient'].map((name) => [name, () => fail(name)]),
    );
    const start = (own: Partial<ProcessorOptions>, iteration: IterationOptions) =>
      queues.start({
        processors: [
          storyProcessor({}, { transactions: 'host', ...own } as ProcessorOptions).type,
          { provide: 'host', useValue: host },
        ],
        iteration,
      });
    const refusal = /Story.*"transactions" and itemConcurrency 3.*Set itemConcurrency: 1 here/;
    await expect(start({ itemConcurrency: 3 }, {})).rejects.toThrow(refusal);
    await expect(start({}, { itemConcurrency: 3 })).rejects.toThrow(refusal);
    await (await start({ itemConcurrency: 1 }, { itemConcurrency: 3 })).close();
  });

  it('R24: a redrive handles the items of dead letters one at a time, in order', async () => {
    const flight = new Flight('', async (letter, { run, job }) => {
      for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
      if (job.id === 'first' && run === 1 && 'acefh'.includes(letter)) fail(letter);
    });
    const story = storyOf({ each: flight.each }, 3, { itemFailure: { then: 'skip' } });
    const { app, job } = await started(queues, story, { jobId: 'first' });
    await app.settled(job);
    expect(flight.most).toBe(3);

    flight.most = 0;
    story.story.length = 0;
    const redriven = await app.settled(await app.iterations.redrive(job));
    expect([flight.most, story.story]).toEqual([1, ['start', ...'acefh', 'complete', 'end complete']]);
    expect([redriven.returnvalue, await app.iterations.deadLetters(job)]).toEqual([{ processed: 5, skipped: 0 }, []]);
  });

  it.each([
    ['an error of the source', false],
    ['the error of an item, not of the source,', true],
  ])('R22: %s fails the attempt once the items in flight finish', async (_, itemFails) => {
    const broken = new Gate();
    const flight = new Flight('bc', (letter, { run }) => {
      if (letter === 'b' && run === 1 && itemFails) fail(letter);
    });
    let breaks = 1;
    async function* source({ cursor }: At) {
      for (let index = ((cursor as number | null) ?? -1) + 1; index < 5; index++) {
        if (index === 3 && breaks-- > 0) {
          broken.open();
          throw new Error('the source is broken');
        }
        yield ['abcde'[index] as string, index] as const;
      }
    }
    const story = storyOf({ build: source, each: flight.each }, 4);
    const { app, job } = await started(queues, story, { attempts: 2 });
    await Promise.all([flight.holds('bc'), broken.wait()]);
    await app.iterations.status(job);
    expect(hooks(story)).toEqual(['start']);
    flight.release('bc');
    const { returnvalue, stacktrace } = await app.settled(job);

    expect(stacktrace?.join('')).toContain(itemFails ? 'cannot do b' : 'the source is broken');
    expect(flight.runs).toEqual(itemFails ? ['abc', 'bcde'] : ['abc', 'de']);
    expect(returnvalue).toEqual({ processed: 5, skipped: 0 });
  });

  it('R19, R26: items are handled one at a time after a run that died without reporting an outcome', async () => {
    const flight = new Flight('c');
    const story = storyOf({ each: flight.each }, 4);
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('story', { letters: 'abcd' });
    const died = {
      iteration: 1,
      progress: 50,
      cursor: 1,
      processed: 2,
      skipped: 0,
      passed: 2,
      run: 0,
      running: 'items',
    };
    await job.updateProgress({ ...died, started: true, interruptions: 0, failures: 0, runtimeMs: 0, version: null });
    const app = await queues.start({ processors: [story.type] });
    await flight.holds('c');
    for (let looks = 0; looks < 3; looks++) await app.iterations.status(job);
    expect([flight.runs, flight.most]).toEqual([['c'], 1]); // meanwhile no other has begun
    flight.release('c');
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 4, skipped: 0 });
    expect([flight.runs, flight.most, done(story)]).toEqual([['cd'], 1, 'cd']);
  });

  it('R20: a run that loses its lock starts no further item, and the next run repeats its items', async () => {
    const lockDuration = 2_400; // long enough that a busy machine loses no lock by itself
    const flight = new Flight('', (letter, { run }) => {
      if (letter !== 'b' || run > 1) return;
      const since = Date.now();
      while (Date.now() < since + lockDuration + 50); // nobody renews the lock meanwhile
    });
    const story = storyOf({ each: flight.each }, 4, { checkpoint: { everyMs: 60_000 } });
    const { app, job } = await started(queues, story, {
      iteration: { worker: { lockDuration, stalledInterval: 100 } },
    });
    const { attemptsMade, stacktrace } = await app.settled(job);

    expect(flight.runs).toEqual(['ab', 'abcdefgh']);
    expect(hooks(story)).toEqual(['start', 'resume', 'complete', 'end complete']);
    expect([attemptsMade, stacktrace ?? []]).toEqual([1, []]);
  });

  it('R8: a cursor that JSON would change fails the job, before the first item or at its checkpoint', async () => {
    const cases: [unknown[], string, string[], Json][] = [
      [[new Date(0), 1], 'cursor is a Date', [], null],
      [[0, 1, Number.NaN, 3], 'cursor is NaN', ['abcd'], 1],
    ];
    for (const [cursors, reason, runs, cursor] of cases) {
      const flight = new Flight('');
      const story = storyOf({ build: () => cursors.map((made, index) => ['abcd'[index], made]), each: flight.each }, 4);
      const { app, job } = await started(queues, story);
      const { failedReason } = await app.settled(job);
      expect([failedReason?.includes(reason), flight.runs]).toEqual([true, runs]);
      expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor });
      await app.close();
    }
  });
});
