import { DelayedError } from 'bullmq';
import { describe, expect, it } from 'vitest';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  InvalidCursorError,
  InvalidOptionsError,
  InvalidProcessorError,
  IterationCancelledError,
  type IterationContext,
  IterationError,
  IterativeProcessor,
  OnIteration,
  type PartitionsContext,
  type ProcessorOptions,
  SkipLimitError,
} from '../../lib/index.js';
import { iterate } from '../../lib/testing/index.js';
import { type Script, storyProcessor } from '../support/story.js';

/** The processor of a story over the letters `abcde`, and the story. */
function story(script: Script = {}, options: Partial<ProcessorOptions> = {}) {
  const { type, story: lines } = storyProcessor(script, options);
  return { processor: new type(new EnumeratorBuilder()) as object, lines };
}

describe('iterate', () => {
  it('R1, R11: runs a job in as many runs as it is interrupted, and says what happened', async () => {
    const { processor, lines } = story();
    const done = await iterate(processor, { interruptAfter: 2 });
    expect(done).toEqual({
      items: ['a', 'b', 'c', 'd', 'e'],
      cursors: [0, 1, 2, 3, 4],
      checkpoints: [1, 3, 4],
      runs: [
        { from: null, items: 2, ended: 'interrupt' },
        { from: 1, items: 2, ended: 'interrupt' },
        { from: 3, items: 1, ended: 'complete' },
      ],
      hooks: ['start', 'interrupt', 'end', 'resume', 'interrupt', 'end', 'resume', 'complete', 'end'],
      interruptions: [{ reason: 'shutdown' }, { reason: 'shutdown' }],
      deadLetters: [],
      warnings: [],
      state: 'completed',
      result: { processed: 5, skipped: 0 },
    });
    expect(lines.filter((line) => line.length === 1)).toEqual(done.items);
  });

  it('interrupts each run of a list; 0 stops a run before it has begun, which calls no hook', async () => {
    const { processor } = story();
    const { hooks, items, runs } = await iterate(processor, { interruptAfter: [1, 0, 3] });
    expect(items.join('')).toBe('abcde');
    expect(runs).toEqual([
      { from: null, items: 1, ended: 'interrupt' },
      { from: 0, items: 0, ended: 'interrupt' },
      { from: 0, items: 3, ended: 'interrupt' },
      { from: 3, items: 1, ended: 'complete' },
    ]);
    expect(hooks.filter((hook) => hook === 'resume')).toHaveLength(2);
  });

  it('R11: an interruption that coincides with the last item completes the job', async () => {
    const { runs } = await iterate(story().processor, { interruptAfter: 5 });
    expect(runs).toEqual([{ from: null, items: 5, ended: 'complete' }]);
  });

  it('starts after a cursor, and gives the data as JSON makes it', async () => {
    const seen: unknown[] = [];
    const { processor } = story({ each: (_, { data }) => seen.push(data) });
    const { items, runs } = await iterate(processor, { cursor: 2, data: { at: new Date(0) } as never });
    expect([items, runs]).toEqual([['d', 'e'], [{ from: 2, items: 2, ended: 'complete' }]]);
    expect(seen[0]).toEqual({ at: '1970-01-01T00:00:00.000Z' });
  });

  it('R22, R23: an item that always fails ends the job after as many attempts, at that item', async () => {
    const down = new Error('the API is down');
    const failed = await iterate(story().processor, { failAt: new Map([[2, down]]), attempts: 3 });
    expect(failed.error).toBe(down);
    expect(failed).toMatchObject({ state: 'failed', items: ['a', 'b'], checkpoints: [1] });
    expect(failed.runs.map(({ from, ended }) => [from, ended])).toEqual([
      [null, 'retry'],
      [1, 'retry'],
      [1, 'fail'],
    ]);
    expect(failed.hooks.slice(-2)).toEqual(['fail', 'end']);
  });

  it('R23: a job whose items fail now and then never runs out of attempts', async () => {
    const flaky = new Set([0, 1, 2, 3, 4]);
    const failAt = (index: number) => (flaky.delete(index) ? new Error('try again') : undefined);
    const { items, runs, state } = await iterate(story().processor, { failAt, attempts: 2 });
    expect([items.join(''), state]).toEqual(['abcde', 'completed']);
    expect(runs.map(({ ended }) => ended)).toEqual([...Array(5).fill('retry'), 'complete']);
  });

  it('R24: an item is tried in place, without waiting, and skipped to its dead letter', async () => {
    const { processor, lines } = story({}, { itemFailure: { attempts: 3, backoffMs: 3_600_000, then: 'skip' } });
    const tries: (readonly number[])[] = [];
    const failAt = (...tried: [number, number]) => {
      tries.push(tried);
      if (tried[0] === 1 || (tried[0] === 3 && tried[1] === 1)) return new Error('bad letter');
      return undefined;
    };
    const { checkpoints, cursors, deadLetters, items, runs, state } = await iterate(processor, { failAt });
    expect([items.join(''), cursors, state]).toEqual(['acde', [0, 2, 3, 4], 'completed']);
    expect(tries.filter(([index]) => index === 1 || index === 3).join(' ')).toBe('1,1 1,2 1,3 3,1 3,2');
    expect(deadLetters).toMatchObject([{ before: 0, cursor: 1, summary: '"b"', error: { message: 'bad letter' } }]);
    expect(runs).toEqual([{ from: null, items: 5, ended: 'complete' }]);
    expect(checkpoints).toContain(1);
    expect(lines).toContain('skip bad letter');
  });

  it('R24: a skipped item counts for interruptAfter, and equal items keep their own cursors', async () => {
    const { processor } = story({}, { itemFailure: { then: 'skip' } });
    const failAt = new Map([[1, new Error('bad')]]);
    const { cursors, runs } = await iterate(processor, {
      data: { letters: 'aaaa' } as never,
      failAt,
      interruptAfter: 2,
    });
    expect(cursors).toEqual([0, 2, 3]);
    expect(runs.map(({ from, items }) => [from, items])).toEqual([
      [null, 2],
      [1, 2],
    ]);
  });

  it('R24: too many skipped items fail the job', async () => {
    const { processor } = story({}, { itemFailure: { then: 'skip', limit: 1 } });
    const { error, state } = await iterate(processor, { failAt: () => new Error('all bad') });
    expect([state, error]).toEqual(['failed', expect.any(SkipLimitError)]);
  });

  it('R37: a job that pauses itself is left interrupted', async () => {
    const { processor } = story({}, { itemFailure: { then: 'skip', limit: 1, onLimit: 'pause' } });
    const done = await iterate(processor, { failAt: () => new Error('all bad') });
    expect(done).toMatchObject({ state: 'interrupted', items: [], interruptions: [{ reason: 'pause' }] });
    expect(done.error).toBeUndefined();
  });

  it('R28: cancels a job, whose cancel hook is called instead of complete', async () => {
    const { error, hooks, items, state } = await iterate(story().processor, { cancelAfter: 2 });
    expect([items.join(''), state, error]).toEqual(['ab', 'cancelled', expect.any(IterationCancelledError)]);
    expect(hooks).toEqual(['start', 'cancel', 'end']);
  });

  it('context.retryIn, context.stop and context.state are those of the engine; nothing is waited for', async () => {
    const { processor } = story({
      each: (letter, context) => {
        context.state = [...((context.state as string[] | null) ?? []), letter] as never;
        if (letter === 'b') context.retryIn(86_400_000);
        if (letter === 'd') context.stop({ silent: true });
      },
      hook: (event, context) => event === 'end complete' && expect(context.state).toEqual(['a', 'b', 'c', 'd']),
    });
    const { hooks, interruptions, items, state, warnings } = await iterate(processor, { now: () => 0 });
    expect([items.join(''), state, warnings]).toEqual(['abcd', 'completed', []]);
    expect(interruptions).toEqual([{ reason: 'retryIn', retryInMs: 86_400_000 }]);
    expect(hooks).toEqual(['start', 'interrupt', 'end', 'resume', 'end']);
  });

  it("R22: BullMQ's own errors end a run, and are no failure of the item", async () => {
    let delayed = false;
    const { processor } = story({
      each: async (letter, { job }) => {
        if (letter !== 'c' || delayed) return;
        delayed = true;
        await job.moveToDelayed(Date.now() + 1_000);
        throw new DelayedError();
      },
    });
    const { interruptions, items, state } = await iterate(processor);
    expect([items.join(''), state, interruptions]).toEqual(['abcde', 'completed', [{ reason: 'bullmq' }]]);
  });

  it('R7, R11: what a hook throws is a warning, or fails the attempt; the complete hook returns the result', async () => {
    const thrown = (event: string) => (name: string) => {
      if (name === event) throw new Error('no such hook');
      return name === 'complete' ? { letters: 5 } : undefined;
    };
    const ended = await iterate(story({ hook: thrown('end complete') }).processor);
    expect([ended.state, ended.result]).toEqual(['completed', { letters: 5 }]);
    expect(ended.warnings).toEqual(['the end hook Story.end failed: no such hook']);
    const failed = await iterate(story({ hook: thrown('complete') }).processor, { attempts: 2 });
    expect([failed.state, failed.runs.map(({ ended }) => ended)]).toEqual(['failed', ['retry', 'fail']]);
  });

  it('context.job counts runs and failed attempts, as BullMQ does', async () => {
    const seen: string[] = [];
    const { processor } = story({
      each: (letter, { job }) => void seen.push(`${letter} ${job.attemptsStarted} ${job.attemptsMade}`),
    });
    let failures = 0;
    const failAt = (index: number) => (index === 3 && failures++ === 0 ? new Error('once') : undefined);
    await iterate(processor, { attempts: 2, interruptAfter: [1], failAt });
    expect(seen).toEqual(['a 1 0', 'b 2 0', 'c 2 0', 'd 3 1', 'e 3 1']);
  });

  it('R8: a cursor that JSON would change fails the job', async () => {
    const { processor } = story({ build: () => [['a', new Date(0)]] });
    const { error, items, state } = await iterate(processor);
    expect([items, state, error]).toEqual([[], 'failed', expect.any(InvalidCursorError)]);
  });

  it('R12: an empty source completes with its hooks, a builder that returns null without', async () => {
    const { processor } = story();
    expect((await iterate(processor, { data: { letters: '' } as never })).hooks).toEqual(['start', 'complete', 'end']);
    const nothing = await iterate(story({ build: () => null }).processor);
    expect([nothing.state, nothing.hooks]).toEqual(['completed', []]);
  });

  it('R26: handles several items at a time', async () => {
    let inFlight = 0;
    let most = 0;
    const each = async () => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
    };
    const { cursors, items } = await iterate(story({ each }, { itemConcurrency: 2 }).processor, { interruptAfter: 2 });
    expect([most, [...items].sort().join(''), [...cursors].sort()]).toEqual([2, 'abcde', [0, 1, 2, 3, 4]]);
  });

  it('R26: equal items in flight keep their own cursors and numbers', async () => {
    @IterativeProcessor({ queue: 'words', itemConcurrency: 2, itemFailure: { then: 'skip' } })
    class Equal {
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return new EnumeratorBuilder().array(['a', 'a', 'a', 'a'], { cursor });
      }
      @EachIteration() async each(_: string) {
        await Promise.resolve();
      }
    }
    const failAt = new Map([[1, new Error('the second one')]]);
    const { cursors, deadLetters } = await iterate(new Equal(), { failAt });
    expect([cursors.toSorted(), deadLetters.map(({ cursor }) => cursor)]).toEqual([[0, 2, 3], [1]]);
  });

  it('a source that never lets the job continue is an error', async () => {
    const { processor } = story({
      build: ({ cursor }, enumerators) =>
        enumerators.throttle(enumerators.array([1], { cursor: cursor as number }), { when: () => true, retryInMs: 5 }),
    });
    await expect(iterate(processor)).rejects.toThrow(
      /Story: 100 runs in a row have finished no item.* ended with "interrupt", for the reason "throttle"/,
    );
  });

  it('the processor keeps its private fields, and what spies replace', async () => {
    @IterativeProcessor('jobs')
    class Counting {
      #count = 0;
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return new EnumeratorBuilder().times(3, { cursor });
      }
      @EachIteration() each(_: number) {
        this.#count++;
      }
      get count() {
        return this.#count;
      }
    }
    const processor = new Counting();
    await iterate(processor);
    expect(processor.count).toBe(3);
    const called: unknown[] = [];
    processor.each = (item) => void called.push(item);
    await iterate(processor);
    expect([processor.count, called]).toEqual([3, [0, 1, 2]]);
  });

  it('errors of failAt pass @AroundIteration, as those of the handler do', async () => {
    const seen: string[] = [];
    @IterativeProcessor('jobs')
    class Wrapped {
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return new EnumeratorBuilder().times(2, { cursor });
      }
      @EachIteration() each(_: number) {}
      @AroundIteration() async around({ item }: IterationContext, next: () => Promise<void>) {
        await next().catch((error: Error) => {
          seen.push(`${String(item)}: ${error.message}`);
          throw error;
        });
      }
    }
    await iterate(new Wrapped(), { failAt: new Map([[1, new Error('down')]]) });
    expect(seen).toEqual(['1: down']);
  });

  it('R24: a failing batch is halved, and its items are those that were handled', async () => {
    const handled: unknown[] = [];
    @IterativeProcessor({ queue: 'jobs', itemFailure: { then: 'skip' } })
    class Batches {
      @BuildEnumerator() build({ cursor }: BuildContext) {
        const text = 'a\nb\nc\nd\ne\n';
        return new EnumeratorBuilder().csv.batches<string[]>(Buffer.from(text), {
          cursor,
          batchSize: 4,
          columns: false,
        });
      }
      @EachIteration() each(rows: string[][]) {
        if (rows.flat().includes('b')) throw new Error('bad row');
        handled.push(...rows.flat());
      }
    }
    const { cursors, deadLetters, items, state } = await iterate(new Batches());
    expect([state, handled.join('')]).toEqual(['completed', 'acde']);
    expect(items).toEqual([[['a']], [['c'], ['d']], [['e']]]);
    expect(deadLetters.map(({ error }) => error.message)).toEqual(['bad row']);
    expect(new Set(cursors.map((cursor) => JSON.stringify(cursor))).size).toBe(3);
  });

  it('R27: runs the parts of a job one after another', async () => {
    const slices = ['ab', 'cde', ''];
    @IterativeProcessor('jobs')
    class Parts {
      constructor(readonly fails = '') {}
      @BuildPartitions() parts(_: PartitionsContext) {
        return slices;
      }
      @BuildEnumerator() build({ cursor, part }: BuildContext<object, number, string>) {
        return new EnumeratorBuilder().array([...(part as string)], { cursor });
      }
      @EachIteration() each(letter: string) {
        if (letter === this.fails) throw new Error('bad letter');
      }
      @OnIteration('start') start() {}
      @OnIteration('complete') complete() {}
    }
    const done = await iterate(new Parts(), { interruptAfter: 2 });
    expect(done).toMatchObject({ state: 'completed', items: [...'abcde'], hooks: ['start', 'complete'] });
    expect(done.result).toEqual({ processed: 5, skipped: 0 });
    expect(done.runs).toEqual([
      { from: null, items: 0, ended: 'interrupt' },
      { from: null, items: 2, ended: 'complete', part: 'ab' },
      { from: null, items: 2, ended: 'interrupt', part: 'cde' },
      { from: 1, items: 1, ended: 'complete', part: 'cde' },
      { from: null, items: 0, ended: 'complete', part: '' },
      { from: null, items: 0, ended: 'complete' },
    ]);
    const failed = await iterate(new Parts('d'));
    expect([failed.state, String(failed.error)]).toEqual([
      'failed',
      expect.stringMatching(/1 of its 3 parts have failed.*bad letter/),
    ]);
  });

  it('R27, R37: a part that pauses itself leaves the job, and the parts after it, interrupted', async () => {
    @IterativeProcessor({ queue: 'words', itemFailure: { then: 'skip', limit: 0, onLimit: 'pause' } })
    class Pausing {
      @BuildPartitions() parts(_: PartitionsContext) {
        return ['ab', 'cd'];
      }
      @BuildEnumerator() build({ cursor, part }: BuildContext<object, number, string>) {
        return new EnumeratorBuilder().array([...(part as string)], { cursor });
      }
      @EachIteration() each(letter: string) {
        if (letter === 'b') throw new Error('bad letter');
      }
    }
    expect(await iterate(new Pausing())).toMatchObject({ state: 'interrupted', items: ['a'] });
  });

  it('misuse is refused as when the application starts', async () => {
    class Plain {}
    @IterativeProcessor('jobs')
    class NoBuilder {
      @EachIteration() each() {}
    }
    @IterativeProcessor({ queue: 'jobs', transactions: 'HOST' })
    class Transactional {
      @BuildEnumerator() build(): Iterable<readonly [string, string]> {
        return [['a', 'a']];
      }
      @EachIteration() each(_: string) {}
    }
    await expect(iterate(new Plain())).rejects.toThrow(/Plain: it has no @IterativeProcessor/);
    await expect(iterate(new NoBuilder())).rejects.toThrow(InvalidProcessorError);
    await expect(iterate(new Transactional())).rejects.toThrow(
      /Transactional: it has "transactions": give iterate\(\) their host, as in iterate\(processor, \{ transactions: host \}\)/,
    );
    await expect(iterate(Plain)).rejects.toThrow(/iterate\(the class Plain\): give it a processor, made with new/);
    const { processor } = story();
    for (const options of [{ interruptAfter: 0 }, { interruptAfter: [-1] }, { attempts: 0 }, { interuptAfter: 1 }])
      await expect(iterate(processor, options)).rejects.toThrow(InvalidOptionsError);
  });

  it("a method of BullMQ's job that needs a queue is refused by its name", async () => {
    const { processor } = story({ each: (_, { job }) => job.remove() });
    const { error } = await iterate(processor);
    expect(error).toEqual(expect.any(IterationError));
    expect(String(error)).toMatch(/job.remove needs a queue, and iterate\(\) runs a job without one/);
  });
});
