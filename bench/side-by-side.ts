/**
 * 1, 2, 4 and 8 jobs at once in one process, each over an array with an async handler, and each over
 * `enumerators.keyset` of `pg`. Compares their total items per second with one job, the slowest of eight jobs with the
 * fastest, and eight jobs over the keyset with eight bare loops at once. Interleaved, medians of five rounds.
 *
 * `ITEMS=1000000` items and `ROWS=100000` rows per job by default. `REDIS_URL` and `DATABASE_URL` name the servers; the
 * bench creates and drops its own database there.
 */
import { Injectable } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { createEntries, Entries, type Entry } from './entries.js';
import { report, spreadOf } from './figure.js';
import { asRate, inTurn } from './interleaved.js';

const ITEMS = Number(process.env.ITEMS ?? 1_000_000);
const ROWS = Number(process.env.ROWS ?? 100_000);
const MOST = 8;
const SIZES = [1, 2, 4, MOST] as const;

const database = await createDatabase();
await createEntries(database, ROWS);
const entries = new Entries(database.url, MOST);
const items = Array.from({ length: ITEMS }, (_, index) => index);
/** The start of each job, and its duration in milliseconds. */
const beganAt = new Map<string, number>();
let jobMs: number[] = [];

@Injectable()
abstract class Timed {
  constructor(protected readonly enumerators: EnumeratorBuilder) {}

  @OnIteration('start')
  start({ job }: IterationContext) {
    beganAt.set(job.id as string, performance.now());
  }

  @OnIteration('complete')
  complete({ job }: IterationContext) {
    jobMs.push(performance.now() - (beganAt.get(job.id as string) as number));
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'array' })
class Items extends Timed {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.array(items, { cursor });
  }

  @EachIteration()
  async each(_item: number) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'pg keyset' })
class Rows extends Timed {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.keyset<Entry, number>({
      cursor,
      fetch: (after, limit) => entries.page(after ?? 0, { last: ROWS, limit }),
      key: ({ id }) => id,
    });
  }

  @EachIteration()
  each(_entry: Entry) {}
}

/** The result of a round. */
interface Race {
  readonly seconds: number;
  /** In seconds. */
  readonly slowest: number;
  readonly fastest: number;
}

const app = await startApp([Items, Rows], { worker: { concurrency: MOST } });
try {
  await compare('array', ITEMS);
  await compare('pg keyset', ROWS);
} finally {
  await app.close();
  await entries.close();
  await database.drop();
}

async function compare(name: 'array' | 'pg keyset', size: number): Promise<void> {
  const bare = counted(size, () => entries.over(ROWS, () => {}));
  const races = await inTurn<string, Race>(
    {
      ...Object.fromEntries(SIZES.map((jobs) => [jobs, () => race(jobs, jobOver(size, app, name))])),
      ...(name === 'pg keyset' && { bare: () => race(MOST, bare) }),
    },
    { warmUps: 1 },
  );
  const ratesOf = (contender: number | string, jobs: number) =>
    (races[contender] as Race[]).map(({ seconds }) => (jobs * size) / seconds);
  const text = (rates: readonly number[]) => asRate(spreadOf(rates).median, 'items');
  const parts = (rates: readonly number[], others: readonly number[]) =>
    spreadOf(rates.map((rate, round) => rate / (others[round] as number)));

  const alone = ratesOf(1, 1);
  for (const jobs of SIZES.slice(1)) {
    const rates = ratesOf(jobs, jobs);
    const against = `one job: ${text(alone)}`;
    report({ what: `${jobs} jobs at once over ${name}`, ours: text(rates), against, ratio: parts(rates, alone) });
  }
  if (races.bare) {
    const [rates, loops] = [ratesOf(MOST, MOST), ratesOf('bare', MOST)];
    const against = `${MOST} bare loops: ${text(loops)}`;
    report({ what: `${MOST} jobs at once over ${name}`, ours: text(rates), against, ratio: parts(rates, loops) });
  }
  const all = races[MOST] as Race[];
  const [slowest, fastest] = [all.map((one) => one.slowest), all.map((one) => one.fastest)];
  const seconds = (values: readonly number[]) => `${spreadOf(values).median.toFixed(2)} s`;
  const against = `the fastest: ${seconds(fastest)}`;
  const what = `the slowest of ${MOST} jobs over ${name}`;
  report({ what, ours: seconds(slowest), against, ratio: parts(slowest, fastest) });
}

async function race(jobs: number, run: () => Promise<void>): Promise<Race> {
  jobMs = [];
  const began = performance.now();
  await Promise.all(Array.from({ length: jobs }, run));
  const seconds = (performance.now() - began) / 1_000;
  return { seconds, slowest: Math.max(...jobMs) / 1_000, fastest: Math.min(...jobMs) / 1_000 };
}
