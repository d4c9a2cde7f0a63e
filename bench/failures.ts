/**
 * What a failure costs, and that it costs the same in a job's old age (R23): a job of `ITEMS=1000000` items with
 * `attempts: 3`, of which one in a hundred fails once, and fails the job each time; the same items tried again in place,
 * and skipped to the dead letters. Figures around the 100th failure and the last hundred; the job's size in Redis at both.
 */
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Job, type Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
} from '../lib/index.js';
import { redisConnection } from '../test/support/app.js';

const ITEMS = Number(process.env.ITEMS ?? 1_000_000);
const PER_FAILURE = 100;
const FAILURES = ITEMS / PER_FAILURE;

const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };
const redis = new Redis(place.connection);

/** When each failure came, and the job's size at some. */
let failedAt: number[] = [];
let bytes: number[] = [];

@Injectable()
abstract class Failing {
  /** Transient errors: an item that has failed is fine. */
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
    if (failedAt.length === 100 || failedAt.length === FAILURES) bytes.push(await sizeOf(job));
    throw new Error(`item ${item} failed`);
  }
}

@IterativeProcessor({ queue: 'bench', name: 'fails the job' })
class FailsJob extends Failing {}

@IterativeProcessor({ queue: 'bench', name: 'is tried again in place', itemFailure: { attempts: 3, backoffMs: 0 } })
class TriedInPlace extends Failing {}

@IterativeProcessor({ queue: 'bench', name: 'is skipped', itemFailure: { then: 'skip', limit: ITEMS } })
class Skipped extends Failing {}

@IterativeProcessor({ queue: 'bench', name: 'always fails' })
class AlwaysFails extends Failing {
  @EachIteration()
  override async each(item: number) {
    if (item === ITEMS / 2) throw new TypeError('item that nobody can handle');
  }
}

@Module({
  imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: 'bench' }), IterationModule],
  providers: [FailsJob, TriedInPlace, Skipped, AlwaysFails],
})
class BenchModule {}

const app = await NestFactory.createApplicationContext(BenchModule, { logger: false });
const queue = app.get<Queue>(getQueueToken('bench'), { strict: false });
const events = new QueueEvents('bench', place);
await events.waitUntilReady();

try {
  for (const name of ['fails the job', 'is tried again in place', 'is skipped']) {
    failedAt = [];
    bytes = [];
    const job = await ended(name);
    const [early, late] = [perFailure(50), perFailure(FAILURES - 100)];
    console.log(
      `an item ${name}: ${early.toFixed(2)} ms a failure around the 100th, ${late.toFixed(2)} ms around the ${FAILURES}th ` +
        `(${PER_FAILURE} items each); the job has ${bytes[0]} bytes at the 100th, ${bytes[1]} at the ${FAILURES}th; ` +
        `it ends as ${await job.getState()}: ${JSON.stringify(job.returnvalue)}`,
    );
  }
  const job = await ended('always fails');
  const [trace = ''] = job.stacktrace ?? [];
  console.log(
    `one item that always fails, attempts: 3: ${await job.getState()} after ${job.attemptsMade} tries of it, as "${job.failedReason}", ` +
      `${job.stacktrace?.length} stacks, each with its own first line "${trace.split('\n')[0]}"`,
  );
} finally {
  await events.close();
  await queue.obliterate({ force: true });
  await app.close();
  const keys = await redis.keys(`${place.prefix}:*`);
  if (keys.length > 0) await redis.del(keys);
  await redis.quit();
}

async function ended(name: string): Promise<Job> {
  const job = (await queue.add(name, {}, { attempts: 3 })) as Job;
  await job.waitUntilFinished(events).catch(() => {});
  return (await queue.getJob(job.id as string)) as Job;
}

function perFailure(from: number): number {
  return ((failedAt[from + 99] as number) - (failedAt[from] as number)) / 99;
}

async function sizeOf(job: Job): Promise<number> {
  const fields = await redis.hgetall(`${place.prefix}:bench:${job.id}`);
  return Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);
}
