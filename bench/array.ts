/**
 * Whole jobs over items in memory. An array with an async handler that does nothing, against the flat await loop
 * (target >= 0.55 of its speed); with a synchronous handler, and `times()` with one, against a bare loop that calls it;
 * a user's own async generator of `[item, cursor]`, against a bare `for await` over the same generator. Interleaved,
 * medians of seven rounds.
 *
 * `ITEMS=5000000` items by default; a fifth of them for the generator.
 */
import { Injectable } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { report, type Target } from './figure.js';
import { interleaved } from './interleaved.js';

const ITEMS = Number(process.env.ITEMS ?? 5_000_000);
const YIELDED = ITEMS / 5;
const ROUNDS = 7;

const items = Array.from({ length: ITEMS }, (_, index) => index);
let sum = 0;

async function handle(_item: number): Promise<void> {}

/** The handler does something: the compiler would remove a loop that does nothing. */
function add(item: number): void {
  sum += item;
}

async function* generate(cursor: number | null): AsyncGenerator<readonly [number, number]> {
  for (let item = cursor === null ? 0 : cursor + 1; item < YIELDED; item++) yield [item, item];
}

@Injectable()
abstract class Adding {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}

  @EachIteration()
  each(item: number) {
    add(item);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'async array' })
class AsyncArray {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.array(items, { cursor });
  }

  @EachIteration()
  async each(_item: number) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'array' })
class SyncArray extends Adding {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.array(items, { cursor });
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'times' })
class Times extends Adding {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(ITEMS, { cursor });
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'generator' })
class Generator extends Adding {
  @BuildEnumerator()
  build({ cursor }: BuildContext<unknown, number>) {
    return generate(cursor);
  }
}

const app = await startApp([AsyncArray, SyncArray, Times, Generator]);
try {
  await compare('a job over an array, async handler', {
    job: 'async array',
    name: 'flat await loop',
    bare: async () => {
      let count = 0;
      for (const item of items) {
        await handle(item);
        count++;
      }
      return count;
    },
    target: { atLeast: 0.55 },
  });
  await compare('a job over an array, synchronous handler', {
    job: 'array',
    name: 'bare for loop',
    bare: async () => {
      let count = 0;
      for (const item of items) {
        add(item);
        count++;
      }
      return count;
    },
  });
  await compare('a job over times(n), synchronous handler', {
    job: 'times',
    name: 'bare for loop',
    bare: async () => {
      let count = 0;
      for (; count < ITEMS; count++) add(count);
      return count;
    },
  });
  await compare("a job over a user's async generator", {
    job: 'generator',
    name: 'bare for await',
    count: YIELDED,
    bare: async () => {
      let count = 0;
      for await (const [item] of generate(null)) {
        add(item);
        count++;
      }
      return count;
    },
  });
  if (!Number.isFinite(sum)) throw new Error('the handlers added up nothing');
} finally {
  await app.close();
}

interface Comparison {
  readonly job: string;
  /** Name of the bare loop. */
  readonly name: string;
  readonly bare: () => Promise<number>;
  readonly count?: number;
  readonly target?: Target;
}

async function compare(what: string, { job, name, bare, count = ITEMS, target }: Comparison): Promise<void> {
  const rounds = await interleaved({ bare: counted(count, bare), ours: jobOver(count, app, job) }, ROUNDS);
  report(rounds.rates(what, { ours: 'ours', against: 'bare', name, items: count, unit: 'items', target }));
}
