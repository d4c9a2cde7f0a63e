/**
 * What a failure costs, and that it costs the same late in a job (R23). The job has `attempts: 3`, and one item in a
 * hundred fails once. That item fails the job, is tried again in place, or is skipped to the dead letters. Compares the
 * milliseconds per failure (with its hundred items) of the last 500 failures with those after the first 50, each in
 * fives, and the job's bytes in Redis. Last, counts the tries of an item that always fails.
 *
 * `ITEMS=1000000` items by default.
 */
import { Injectable } from '@nestjs/common';
import type { Job } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  type IterationResult,
  IterativeProcessor,
} from '../lib/index.js';
import { QUEUE, startApp } from './app.js';
import { report, spreadOf } from './figure.js';

const ITEMS = Number(process.env.ITEMS ?? 1_000_000);
const PER_FAILURE = 100;
const FAILURES = ITEMS / PER_FAILURE;
const ATTEMPTS = 3;
/** The first failures only warm up. */
const WARM = 50;
const WINDOW = 100;
const WINDOWS = 5;

/** The time of each failure, and the job's size at some of them. */
let failedAt: number[] = [];
let bytes: number[] = [];

@Injectable()
abstract class Failing {
  /** The next item that fails. The errors are transient: it succeeds when it is tried again. */
  private next = 0;

  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    if (cursor === null) this.next = PER_FAILURE / 2;
    return this.enumerators.times(ITEMS, { cursor });
  }

  @EachIteration()
  async each(item: number, { job }: IterationContext) {
    if (item < this.next) return;
    this.next += PER_FAILURE;
    failedAt.push(performance.now());
    if (failedAt.length === WINDOW || failedAt.length === FAILURES) bytes.push(await sizeOf(job));
    throw new Error(`item ${item} failed`);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'fails the job' })
class FailsJob extends Failing {}

@IterativeProcessor({ queue: QUEUE, name: 'is tried again in place', itemFailure: { attempts: 3, backoffMs: 0 } })
class TriedInPlace extends Failing {}

@IterativeProcessor({ queue: QUEUE, name: 'is skipped', itemFailure: { then: 'skip', limit: ITEMS } })
class Skipped extends Failing {}

@IterativeProcessor({ queue: QUEUE, name: 'always fails' })
class AlwaysFails extends Failing {
  @EachIteration()
  override async each(item: number) {
    if (item === ITEMS / 2) throw new TypeError('item that nobody can handle');
  }
}

const app = await startApp([FailsJob, TriedInPlace, Skipped, AlwaysFails]);
const redis = new Redis(app.place.connection);

try {
  for (const [name, handled] of [
    ['fails the job', ITEMS],
    ['is tried again in place', ITEMS],
    ['is skipped', ITEMS - FAILURES],
  ] as const) {
    failedAt = [];
    bytes = [];
    const { processed } = (await app.run(name, {}, { attempts: ATTEMPTS })) as IterationResult;
    if (processed !== handled) throw new Error(`an item that ${name}: ${processed} were handled, not ${handled}`);
    reportCost(`an item of a hundred ${name}`);
  }
  await app.run('always fails', {}, { attempts: ATTEMPTS }).catch(() => {});
  const [failed] = await app.queue.getFailed();
  report({
    what: `an item that always fails, with attempts: ${ATTEMPTS}`,
    ours: `${failed?.attemptsMade} tries`,
    target: { atMost: ATTEMPTS },
  });
} finally {
  await app.close();
  const keys = await redis.keys(`${app.place.prefix}:*`); // of the dead letters
  if (keys.length > 0) await redis.del(keys);
  await redis.quit();
}

function reportCost(what: string): void {
  const late = windowsFrom(FAILURES - WINDOWS * WINDOW);
  const early = windowsFrom(WARM);
  const milliseconds = (windows: readonly number[]) => `${spreadOf(windows).median.toFixed(2)} ms a failure`;
  report({
    what: `${what}: the last of ${FAILURES} failures`,
    ours: milliseconds(late),
    against: `the first: ${milliseconds(early)}`,
    ratio: spreadOf(late.map((window, index) => window / (early[index] as number))),
  });
  report({
    what: `${what}: the job in Redis`,
    ours: `${bytes[1]} bytes at the last of ${FAILURES} failures`,
    against: `at the ${WINDOW}th: ${bytes[0]} bytes`,
  });
}

/** The milliseconds per failure, in each window. */
function windowsFrom(start: number): number[] {
  return Array.from({ length: WINDOWS }, (_, index) => {
    const [from, to] = [start + index * WINDOW, start + (index + 1) * WINDOW - 1];
    return ((failedAt[to] as number) - (failedAt[from] as number)) / (WINDOW - 1);
  });
}

async function sizeOf(job: Job): Promise<number> {
  const fields = await redis.hgetall(`${app.place.prefix}:${QUEUE}:${job.id}`);
  return Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);
}
