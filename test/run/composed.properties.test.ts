import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Progress, ProgressTracker } from '../../lib/checkpoint/progress.js';
import type { Cursor } from '../../lib/cursor.js';
import {
  type At,
  type Bounds,
  type EnumeratorLike,
  type PageReader,
  readerOf,
  type Source,
  SourceEnumerator,
} from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import type { SequentialOutcome } from '../../lib/run/sequential.loop.js';
import { CASES_IN_MEMORY } from '../support/cases.js';
import { KINDS, type Kind } from '../support/levels.js';
import { itemLoop } from '../support/loop.js';

const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_121);
const build = new EnumeratorBuilder();

/** Random numbers that repeat with their seed. */
class Dice {
  constructor(private state: number) {}

  below(count: number): number {
    this.state = (this.state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return Math.floor((this.state / 0x80000000) * count);
  }
}

/** Counts the readers that were opened and closed. */
class Book {
  opened = 0;
  closed = 0;
  closedAgain = 0;
}

/** A list in pages of random length, read at once or later, ahead or not. It counts its readers. */
class Listed implements Source<string, number> {
  constructor(
    private readonly items: readonly string[],
    private readonly how: {
      readonly ahead: boolean;
      readonly later: boolean;
      readonly dice: Dice;
      readonly book: Book;
    },
  ) {}

  read({ after, until }: Bounds<number>): PageReader<string, number> {
    const { ahead, later, dice, book } = this.how;
    const end = until === null ? this.items.length : Math.min(until + 1, this.items.length);
    let next = (after ?? -1) + 1;
    let state: 'unopened' | 'open' | 'closed' = 'unopened';
    return {
      ahead,
      next: async () => {
        if (state === 'unopened') book.opened++;
        state = state === 'closed' ? state : 'open';
        if (later) await new Promise((resolve) => setImmediate(resolve));
        const start = next;
        next = Math.min(start + 1 + dice.below(3), end);
        if (start >= end) return undefined;
        return { items: this.items.slice(start, next), cursorAt: (index) => start + index };
      },
      close: () => {
        if (state === 'closed') book.closedAgain++;
        if (state === 'open') book.closed++;
        state = 'closed';
      },
    };
  }

  count(cursor: number): number {
    return cursor + 1;
  }
}

interface Run {
  readonly seen: readonly unknown[];
  readonly end: SequentialOutcome;
  readonly progress: ProgressTracker;
}

interface Stop {
  readonly afterItems: number;
  readonly afterTurns: number | undefined;
  /** Whether the handler is asynchronous, so that the next page is read ahead. */
  readonly waits: boolean;
}

/** One run as in a worker. The handler of an item asks it to stop, or a request comes at any moment. */
async function runOnce(
  enumerator: EnumeratorLike<unknown>,
  from: { readonly cursor: Cursor; readonly processed: number },
  { afterItems, afterTurns, waits }: Stop,
): Promise<Run> {
  const seen: unknown[] = [];
  const interruption = new InterruptionRequest();
  const progress = new ProgressTracker(new Progress(from.cursor, from.processed, 0, from.processed));
  const stop = () => interruption.request({ reason: 'shutdown' });
  const loop = itemLoop({
    reader: readerOf(enumerator, { finished: from.processed }),
    handle: (item) => {
      const finish = () => {
        seen.push(item);
        if (seen.length > afterItems) stop();
      };
      return waits ? new Promise<void>((resolve) => setImmediate(resolve)).then(finish) : finish();
    },
    progress,
    interruption,
  });
  const stopping = (async () => {
    for (let left = afterTurns ?? 0; left > 0; left--) await null;
    if (afterTurns !== undefined) stop();
  })();
  const end = await loop.run();
  await stopping;
  return { seen, end, progress };
}

/** Starts one run after another until the job is complete. */
async function job(
  make: (at: At) => EnumeratorLike<unknown>,
  dice: Dice,
): Promise<{ seen: unknown[]; runs: number; throttled: number }> {
  const seen: unknown[] = [];
  let from: { cursor: Cursor; processed: number } = { cursor: null, processed: 0 };
  let throttled = 0;
  for (let runs = 1; runs <= 500; runs++) {
    const afterTurns = dice.below(3) === 0 ? dice.below(60) : undefined;
    const run = await runOnce(make({ cursor: from.cursor }), from, {
      afterItems: dice.below(6),
      afterTurns,
      waits: dice.below(2) === 0,
    });
    seen.push(...run.seen);
    if (run.end.type === 'complete') return { seen, runs, throttled };
    if (run.end.type === 'interrupted' && run.end.interruption.reason === 'throttle') throttled++;
    from = {
      cursor: JSON.parse(JSON.stringify(run.progress.current.cursor)) as Cursor,
      processed: run.progress.current.processed,
    };
  }
  throw new Error(`The job does not end; it has given ${seen.length} items`);
}

type Level = (items: readonly string[], at: At) => EnumeratorLike<string>;

/** Kinds of sources in addition to {@link KINDS}: they count their readers, pause, or wait. */
function levels(dice: Dice, book: Book): Record<string, Level> {
  const listed = (items: readonly string[], { cursor }: At, ahead: boolean, later = false) =>
    new SourceEnumerator(new Listed(items, { ahead, later, dice, book }), cursor as number | null);
  const pausing = { when: async () => dice.below(5) === 0, retryInMs: 0 };
  return {
    ahead: (items, at) => listed(items, at, true),
    'not ahead': (items, at) => listed(items, at, false),
    later: (items, at) => listed(items, at, true, true),
    pausing: (items, at) => build.throttle(listed(items, at, true), pausing),
    'pausing take': (items, at) =>
      build.take(build.throttle(listed([...items, 'one too many'], at, true, true), pausing), items.length),
    'pausing nested': (items, at) =>
      build.nested(
        [
          (outer: At) => build.throttle(listed(items, outer, true), pausing),
          (item: string, inner: At) => build.throttle(listed([item], inner, dice.below(2) === 0), pausing),
        ],
        at,
      ),
  };
}

const EXTRA = ['ahead', 'not ahead', 'later', 'pausing', 'pausing take', 'pausing nested'];

describe('composed sources in a run that is stopped at any moment', () => {
  it(`R1: composed sources give each item once, in order, and close their readers, in ${CASES_IN_MEMORY} cases`, async () => {
    const tried = { cases: 0, runs: 0, items: 0, throttled: 0, opened: 0 };
    const cases = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 30 }),
      kinds: fc.array(fc.constantFrom(...EXTRA, ...(Object.keys(KINDS) as Kind[])), { minLength: 1, maxLength: 3 }),
      counts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 7 }),
      wrapped: fc.constantFrom('', 'take', 'throttle', 'take of a throttled take'),
    });
    const property = fc.asyncProperty(cases, async ({ seed, kinds, counts, wrapped }) => {
      const dice = new Dice(seed);
      const book = new Book();
      const extra = levels(dice, book);
      const children = (name: string) => {
        const turn = [...name].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 1);
        return Array.from({ length: counts[turn % counts.length] as number }, (_, index) => `${name}/${index}`);
      };
      const leaves = (name: string, depth: number): readonly string[] =>
        depth === 0 ? [name] : children(name).flatMap((child) => leaves(child, depth - 1));
      const expected = leaves('', kinds.length);
      const level =
        (kind: string) =>
        (...args: unknown[]) => {
          const source = (extra[kind] ?? ((items, at) => KINDS[kind as Kind](build, items, at))) as Level;
          return source(children((args.at(-2) as string | undefined) ?? ''), args.at(-1) as At);
        };
      const make = (at: At): EnumeratorLike<unknown> => {
        const made = kinds.length === 1 ? level(kinds[0] as string)(at) : build.nested<string>(kinds.map(level), at);
        const pausing = { when: () => dice.below(7) === 0, retryInMs: 0 };
        if (wrapped === 'take') return build.take(made, expected.length);
        if (wrapped === 'throttle') return build.throttle(made, pausing);
        if (wrapped) return build.take(build.throttle(build.take(made, expected.length + 3), pausing), expected.length);
        return made;
      };
      const { seen, runs, throttled } = await job(make, dice);
      expect(seen).toEqual(expected);
      expect({ closed: book.closed, again: book.closedAgain }).toEqual({ closed: book.opened, again: 0 });
      tried.cases++;
      tried.runs += runs;
      tried.items += seen.length;
      tried.throttled += throttled;
      tried.opened += book.opened;
    });
    await fc.assert(property, { numRuns: CASES_IN_MEMORY, seed: SEED, endOnFailure: false });
    expect(tried.throttled).toBeGreaterThan(CASES_IN_MEMORY / 10);
    console.log(`compositions in runs: ${JSON.stringify(tried)}`);
  });

  it(`R1: poll and sources composed of it lose no item and acknowledge each one, in ${CASES_IN_MEMORY} random jobs`, async () => {
    const cases = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 30 }),
      length: fc.integer({ min: 0, max: 12 }),
      acks: fc.boolean(),
      made: fc.constantFrom('poll', 'take', 'throttle', 'nested', 'all', 'after others'),
    });
    const property = fc.asyncProperty(cases, async ({ seed, length, acks, made }) => {
      const dice = new Dice(seed);
      const queue = Array.from({ length }, (_, index) => index);
      const acked: unknown[] = [];
      const others = ['x', 'y'];
      const fetch = async () => {
        for (let turns = dice.below(4); turns > 0; turns--) await null;
        return queue.shift();
      };
      const poll = () => build.poll(fetch, acks ? { ack: async (item) => void acked.push(item) } : {});
      const pausing = { when: () => dice.below(5) === 0, retryInMs: 0 };
      const nested = (at: At, inner: () => EnumeratorLike<unknown>) =>
        build.nested([(outer: At) => build.times(2, outer), () => inner()], at);
      const make = (at: At): EnumeratorLike<unknown> => {
        if (made === 'after others') {
          const inner = (name: string, inner: At) => (name === 'queue' ? poll() : build.array<unknown>(others, inner));
          return build.nested([(outer: At) => build.array(['others', 'queue'], outer), inner], at);
        }
        if (made === 'take') return build.take(poll(), length);
        if (made === 'throttle') return build.throttle(poll(), pausing);
        if (made === 'nested') return nested(at, poll);
        if (made === 'all')
          return build.take(
            nested(at, () => build.throttle(poll(), pausing)),
            length,
          );
        return poll();
      };
      const { seen } = await job(make, dice);
      const taken = Array.from({ length }, (_, index) => index);
      expect(seen).toEqual(made === 'after others' ? [...others, ...taken] : taken);
      expect(acked).toEqual(acks ? taken : []);
    });
    await fc.assert(property, { numRuns: CASES_IN_MEMORY, seed: SEED, endOnFailure: false });
  });
});
