/**
 * What hooks that do nothing cost. Hooks of a run: a hundred hooks of one event against none, so that their cost stands
 * out, over jobs of one item, one after the other; `interrupt` and `resume` over one job that goes back to the queue
 * after each item, `skip` over one that skips each item, `fail` over jobs that fail. The ratio compares a run with one
 * such hook to a run without it. `@AroundIteration`: a job over an array, with an async and with a synchronous handler,
 * against the same job without it. Interleaved, medians of seven rounds.
 *
 * `RUNS=200` runs and `ITEMS=1000000` items by default.
 */
import { Injectable, Logger, type Type } from '@nestjs/common';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  type IterationEvent,
  IterativeProcessor,
  OnIteration,
} from '../lib/index.js';
import { QUEUE, startApp } from './app.js';
import { jobOver } from './contender.js';
import { report, spreadOf } from './figure.js';
import { inTurn, interleaved } from './interleaved.js';

const RUNS = Number(process.env.RUNS ?? 200);
const ITEMS = Number(process.env.ITEMS ?? 1_000_000);
const HOOKS = 100;
const ROUNDS = 7;

const items = Array.from({ length: ITEMS }, (_, index) => index);
/** Number of hook calls. */
let calls = 0;

/** Iterates over as many numbers as the job's data says. */
@Injectable()
abstract class Numbers {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor, data }: BuildContext<number>) {
    return this.enumerators.times(data, { cursor });
  }
  @EachIteration()
  each(_item: number, _context: IterationContext<number>): void {}
}

@IterativeProcessor({ queue: QUEUE, name: 'once' })
class Once extends Numbers {}

@IterativeProcessor({ queue: QUEUE, name: 'yields' })
class Yields extends Numbers {
  @EachIteration()
  override each(_item: number, context: IterationContext<number>) {
    context.retryIn(0);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'skips', itemFailure: { then: 'skip', limit: RUNS } })
class Skips extends Numbers {
  @EachIteration()
  override each(): never {
    throw new Error('skipped');
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'fails' })
class Fails extends Numbers {
  @EachIteration()
  override each(): never {
    throw new Error('failed');
  }
}

@Injectable()
abstract class Items {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.array(items, { cursor });
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'async items' })
class AsyncItems extends Items {
  @EachIteration()
  async each(_item: number) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'async items, around' })
class AroundAsyncItems extends AsyncItems {
  @AroundIteration()
  around(_context: IterationContext, next: () => Promise<void>) {
    return next();
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'sync items' })
class SyncItems extends Items {
  @EachIteration()
  each(_item: number) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'sync items, around' })
class AroundSyncItems extends SyncItems {
  @AroundIteration()
  around(_context: IterationContext, next: () => Promise<void>) {
    return next();
  }
}

/** The runs that call a hook, and how often. */
const HOOKED: readonly { readonly event: IterationEvent; readonly of: string; readonly times: number }[] = [
  { event: 'start', of: 'once', times: RUNS },
  { event: 'complete', of: 'once', times: RUNS },
  { event: 'end', of: 'once', times: RUNS },
  { event: 'interrupt', of: 'yields', times: RUNS - 1 },
  { event: 'resume', of: 'yields', times: RUNS - 1 },
  { event: 'skip', of: 'skips', times: RUNS },
  { event: 'fail', of: 'fails', times: RUNS },
];
const BASES: Readonly<Record<string, Type<Numbers>>> = { once: Once, yields: Yields, skips: Skips, fails: Fails };
const hooked = HOOKED.map(({ event, of }) => withHooks(BASES[of] as Type<Numbers>, `${of}, ${event}`, event));

const plain = [Once, Yields, Skips, Fails, AsyncItems, AroundAsyncItems, SyncItems, AroundSyncItems];
const app = await startApp([...plain, ...hooked]);
Logger.overrideLogger(false); // each failed job would log an error
try {
  for (const { event, of, times } of HOOKED) {
    const seconds = await inTurn(
      { without: timed(of, 0), hooks: timed(`${of}, ${event}`, times * HOOKS) },
      { rounds: ROUNDS, warmUps: 1 },
    );
    const costs = seconds.hooks.map((taken, round) => (taken - (seconds.without[round] as number)) / times / HOOKS);
    const without = spreadOf(seconds.without).median / RUNS;
    report({
      what: `a hook of ${event}`,
      ours: `${(spreadOf(costs).median * 1e6).toFixed(1)} us`,
      against: `a whole run without it: ${(without * 1e6).toFixed(0)} us`,
      ratio: spreadOf(costs.map((cost, round) => 1 + (cost * RUNS) / (seconds.without[round] as number))),
    });
  }
  for (const handler of ['async', 'sync']) await reportAround(handler);
} finally {
  await app.close();
}

/** A copy of a processor with another name and many hooks of an event. */
function withHooks(base: Type<Numbers>, name: string, event: IterationEvent): Type<Numbers> {
  const hook = () => {
    calls++;
  };
  @IterativeProcessor({ queue: QUEUE, name, itemFailure: { then: base === Skips ? 'skip' : 'fail', limit: RUNS } })
  class Hooked extends (base as new (...args: unknown[]) => Numbers) {}
  for (let index = 0; index < HOOKS; index++) {
    const descriptor = { value: hook, writable: true, configurable: true };
    Object.defineProperty(Hooked.prototype, `hook${index}`, descriptor);
    OnIteration(event)(Hooked.prototype, `hook${index}`, descriptor);
  }
  return Hooked as Type<Numbers>;
}

/** Measures the seconds of the runs, which must call hooks exactly this often. */
function timed(name: string, expected: number): () => Promise<number> {
  return async () => {
    calls = 0;
    const began = performance.now();
    await (/^(yields|skips)/.test(name) ? app.run(name, RUNS) : runJobs(name));
    const seconds = (performance.now() - began) / 1_000;
    if (calls !== expected) throw new Error(`${name}: hooks were called ${calls} times instead of ${expected}`);
    return seconds;
  };
}

/** Runs jobs of one item: the worker takes them one by one, in order. */
async function runJobs(name: string): Promise<void> {
  await app.queue.addBulk(Array.from({ length: RUNS - 1 }, () => ({ name, data: 1 })));
  await app.run(name, 1).catch((error: Error) => {
    if (error.message !== 'failed') throw error;
  });
}

async function reportAround(handler: string): Promise<void> {
  const rounds = await interleaved(
    { without: jobOver(ITEMS, app, `${handler} items`), around: jobOver(ITEMS, app, `${handler} items, around`) },
    ROUNDS,
  );
  const asText = (seconds: number) => `${((seconds / ITEMS) * 1e9).toFixed(0)} ns/item`;
  const what = `@AroundIteration, ${handler} handler`;
  report(rounds.measures(what, { ours: 'around', against: 'without', name: 'without it', asText }));
}
