/**
 * A job of 2,000 parts on Redis and on PostgreSQL, over a private redis-server and a database of its own. While the job
 * waits for its parts, the queue is paused: no worker has a job. Then 50 parts at a time run, each over one item, and the
 * job is settled. Reports the time and the commands (those inside scripts included; on PostgreSQL statements that BullMQ
 * and the library send) to add the parts and to settle the job, the memory in Redis, and the memory of this process.
 *
 * `PARTS=2000` sets another number of parts, `BACKENDS=redis,postgres` chooses.
 */
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type AroundRun,
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterationService,
  IterativeProcessor,
} from '../lib/index.js';
import { type Backend, useBackend } from '../test/support/backend.js';
import { createDatabase } from '../test/support/database.js';
import { countStatements } from '../test/support/pg.statements.js';
import { startRedis } from '../test/support/redis-server.js';
import { until } from '../test/support/until.js';
import { asMegabytes, report } from './figure.js';

const PARTS = Number(process.env.PARTS ?? 2_000);
const BACKENDS = (process.env.BACKENDS ?? 'redis,postgres').split(',') as readonly Backend[];
const CONCURRENCY = 50;
const OF = `a job of ${PARTS.toLocaleString('en')} parts`;

/** What is read at the beginning and the end of a phase. */
interface Reading {
  readonly ms: number;
  readonly commands: number;
  readonly rss: number;
  readonly heap: number;
}

/** A server that counts what it does. */
interface Server {
  readonly place: { readonly connection: object; readonly prefix?: string };
  commands(): Promise<number>;
  /** Bytes of Redis that are used, without the stream of events. */
  bytes?(): Promise<number>;
  reportBytes?(queue: Queue, job: Job): Promise<void>;
  close(): Promise<void>;
}

for (const backend of BACKENDS) {
  const server = backend === 'redis' ? await redisServer() : await postgresServer();
  try {
    await measure(backend, server);
  } finally {
    await server.close();
  }
}

async function measure(backend: Backend, server: Server): Promise<void> {
  useBackend(backend);
  let queue: Queue | undefined;
  /** The parts are known; the run that settles begins. */
  const readings: Reading[] = [];
  let endedBytes: number | undefined;

  @IterativeProcessor({ queue: 'many', worker: { concurrency: CONCURRENCY } })
  class ManyParts {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildPartitions()
    async split() {
      await queue?.pause();
      readings.push(await read(server));
      return Array.from({ length: PARTS }, (_, index) => [index * 1_000, (index + 1) * 1_000]);
    }

    @BuildEnumerator()
    build({ cursor }: BuildContext) {
      return this.enumerators.times(1, { cursor });
    }

    @EachIteration()
    each(_item: number) {}
  }

  const aroundRun: AroundRun = async ({ job, run }, next) => {
    if (!job.parent && run > 1) {
      endedBytes = await server.bytes?.();
      readings.push(await read(server));
    }
    await next();
  };
  @Module({
    imports: [
      BullModule.forRoot(server.place as never),
      BullModule.registerQueue({ name: 'many' }),
      IterationModule.forRoot({ aroundRun }),
    ],
    providers: [ManyParts],
  })
  class ManyModule {}
  const app = await NestFactory.createApplicationContext(ManyModule, { logger: ['error'] });
  try {
    queue = app.get<Queue>(getQueueToken('many'), { strict: false });
    const job = await queue.add('many', { table: 'entry' });
    await until('the job waits for its parts', () => job.isWaitingChildren());
    const added = await read(server);
    const before = readings[0] as Reading;
    const counts = await queue.getJobCounts('active', 'waiting', 'paused' as never, 'waiting-children');
    const waiting = (counts.waiting ?? 0) + (counts.paused ?? 0); // on PostgreSQL those of a paused queue are apart
    if (counts.active !== 0 || waiting !== PARTS || counts['waiting-children'] !== 1)
      throw new Error(`a worker is held, or a part is missing: ${JSON.stringify(counts)}`);
    reportPhase(`${OF} on ${backend}: add the parts`, before, added);
    report({
      what: `${OF} on ${backend}: while it waits`,
      ours: `${counts.active} workers held; ${waiting} parts wait`,
      target: { atMost: 0 },
    });
    report({
      what: `${OF} on ${backend}: memory of the process that adds`,
      ours: `${asMegabytes(Math.max(0, added.heap - before.heap))} of heap before a collection, ${asMegabytes(Math.max(0, added.rss - before.rss))} resident`,
    });
    await server.reportBytes?.(queue, job);
    const looks = await read(server);
    await app.get(IterationService).status(job);
    reportPhase(`${OF} on ${backend}: one look at its status`, looks, await read(server));
    const resumed = await read(server);
    await queue.resume();
    await until('the job is complete', () => job.isCompleted());
    const ended = await read(server);
    const settles = readings[1] as Reading;
    reportPhase(`${OF} on ${backend}: run the parts, ${CONCURRENCY} at a time`, resumed, settles);
    reportPhase(`${OF} on ${backend}: settle the job`, settles, ended);
    if (endedBytes !== undefined)
      report({
        what: `${OF} in Redis, all ended`,
        ours: `${asMegabytes(endedBytes)} in all, ${Math.round(endedBytes / PARTS)} bytes a part without events`,
      });
    await queue.obliterate({ force: true });
  } finally {
    await app.close();
    useBackend('redis');
  }
}

async function read(server: Server): Promise<Reading> {
  const { heapUsed: heap, rss } = process.memoryUsage();
  return { ms: performance.now(), commands: await server.commands(), heap, rss };
}

function reportPhase(what: string, before: Reading, after: Reading): void {
  const seconds = (after.ms - before.ms) / 1_000;
  const commands = after.commands - before.commands;
  report({
    what,
    ours: `${seconds.toFixed(2)} s, ${commands.toLocaleString('en')} commands, ${(commands / PARTS).toFixed(1)} a part`,
  });
}

async function redisServer(): Promise<Server> {
  const server = await startRedis();
  const redis = new Redis(server.port, '127.0.0.1');
  const info = async (section: string, name: string) =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info(section))?.[1]);
  const usage = async (key: string) => (await redis.memory('USAGE', `bench:many:${key}`, 'SAMPLES', 0)) ?? 0;
  const empty = await info('memory', 'used_memory');
  const bytes = async () => (await info('memory', 'used_memory')) - empty - (await usage('events'));
  return {
    place: { connection: { host: '127.0.0.1', port: server.port }, prefix: 'bench' },
    commands: () => info('stats', 'total_commands_processed'),
    bytes,
    async reportBytes(queue, job) {
      const [parent, dependencies, events] = await Promise.all(
        [`${job.id}`, `${job.id}:dependencies`, 'events'].map(usage),
      );
      const [part] = await queue.getJobs(['waiting'], 0, 0);
      const used = await bytes();
      report({
        what: `${OF} in Redis, all waiting`,
        ours: `${asMegabytes(used)} in all, ${Math.round(used / PARTS)} bytes a part without events`,
        against: `one part ${await usage(part?.id as string)}, the job with all ranges ${parent}, its dependencies ${dependencies}, events ${events} bytes`,
      });
    },
    async close() {
      await redis.quit();
      await server.stop();
    },
  };
}

async function postgresServer(): Promise<Server> {
  const database = await createDatabase();
  const statements = countStatements();
  return {
    place: { connection: { connectionString: database.url, schema: 'queue', max: 10, migrate: true } },
    commands: async () => statements.count,
    async close() {
      statements.restore();
      await database.drop();
    },
  };
}
