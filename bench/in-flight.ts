/**
 * Items in flight (R26): a job of `ITEMS=5000` items whose handler waits for 10 ms, with `itemConcurrency: 50`, against
 * the same job one item at a time (over a fiftieth of the items; target >= 45 times as fast), and against a bare pool
 * of 50 loops over one iterator. What an item in flight costs: a job of a million items whose async handler does
 * nothing, against the same job one item at a time.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
  type ProcessorOptions,
} from '../lib/index.js';
import { QUEUE, startApp } from './app.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ITEMS = Number(process.env.ITEMS ?? 5_000);
const QUICK_ITEMS = 1_000_000;
const IN_FLIGHT = 50;
const HANDLER_MS = 10;

let handled = 0;

@Injectable()
abstract class Times {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data }: BuildContext<{ items: number }>) {
    return this.enumerators.times(data.items, { cursor });
  }
}

@Injectable()
abstract class Waiting extends Times {
  @EachIteration()
  async each(_item: number) {
    await wait(HANDLER_MS);
    handled++;
  }
}

@Injectable()
abstract class Quick extends Times {
  @EachIteration()
  async each(_item: number) {
    handled++;
  }
}

const app = await startApp([
  processor('one', Waiting),
  processor('many', Waiting, { itemConcurrency: IN_FLIGHT }),
  processor('quick one', Quick),
  processor('quick many', Quick, { itemConcurrency: IN_FLIGHT }),
]);

try {
  const waiting = await interleaved({
    many: job('many', ITEMS),
    one: job('one', ITEMS / IN_FLIGHT),
    pool: () => pool(ITEMS),
  });
  report({
    ...waiting.rates(`${IN_FLIGHT} items in flight, handlers of ${HANDLER_MS} ms`, {
      ours: 'many',
      against: 'pool',
      name: `a bare pool of ${IN_FLIGHT}`,
      items: ITEMS,
      unit: 'items',
    }),
  });
  const { median, least, most } = waiting.speed('many', 'one');
  report({
    what: `${IN_FLIGHT} items in flight, handlers of ${HANDLER_MS} ms, against one at a time`,
    ours: `${(ITEMS / waiting.median('many')).toFixed(0)} items/s`,
    against: `one at a time: ${(ITEMS / IN_FLIGHT / waiting.median('one')).toFixed(0)} items/s`,
    ratio: { median: median * IN_FLIGHT, least: least * IN_FLIGHT, most: most * IN_FLIGHT },
    target: { atLeast: 45 },
  });

  const quick = await interleaved({ many: job('quick many', QUICK_ITEMS), one: job('quick one', QUICK_ITEMS) });
  report({
    ...quick.rates(`${IN_FLIGHT} items in flight, handlers that do nothing`, {
      ours: 'many',
      against: 'one',
      name: 'one at a time',
      items: QUICK_ITEMS,
      unit: 'items',
    }),
  });
} finally {
  await app.close();
}

function processor(name: string, base: typeof Waiting, options: Partial<ProcessorOptions> = {}) {
  @IterativeProcessor({ queue: QUEUE, name, ...options })
  class Named extends base {}
  return Named;
}

function job(name: string, items: number): () => Promise<void> {
  return async () => {
    handled = 0;
    await app.run(name, { items });
    if (handled !== items) throw new Error(`${name} handled ${handled} items of ${items}`);
  };
}

async function pool(items: number): Promise<void> {
  const numbers = Array(items).keys();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (const _ of numbers) await wait(HANDLER_MS);
    }),
  );
}
