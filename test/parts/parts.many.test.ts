import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  type AroundRun,
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { countStatements } from '../support/pg.statements.js';
import { type RedisServer, startRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

const PARTS = 2_000;

/**
 * Commands for each part, those inside scripts included; on PostgreSQL statements. Measured by `npm run bench many-parts`:
 * 12 to add, 14 to settle and 60 in all on Redis; 1.1, 3 and 7.4 on PostgreSQL. Running parts also send some each second:
 * a slow machine needs more in all.
 */
const AT_MOST = { redis: { add: 14, settle: 16, all: 120 }, postgres: { add: 2, settle: 4, all: 15 } } as const;

describeQueues('a job of many parts', BACKENDS, (queues) => {
  let server: RedisServer | undefined;
  let redis: Redis | undefined;
  let statements: ReturnType<typeof countStatements> | undefined;

  beforeAll(async () => {
    if (queues.backend !== 'redis') {
      statements = countStatements();
      return;
    }
    server = await startRedis(); // all that it counts is this job's
    redis = new Redis(server.port, '127.0.0.1');
  });
  beforeEach(() => {
    if (server) queues.moveTo({ connection: { host: '127.0.0.1', port: server.port }, prefix: 'many' });
  });
  afterAll(async () => {
    statements?.restore();
    await redis?.quit();
    await server?.stop();
  });

  async function commands(): Promise<number> {
    if (!redis) return statements?.count as number;
    return Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
  }

  it('R27: 2,000 parts hold no worker while they wait, complete, and cost a constant each', async () => {
    let queue: Queue | undefined;
    let handled = 0;
    let beforeSettling = 0;
    const runs: Gate[] = [new Gate(), new Gate()];

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', worker: { concurrency: 50 } })
    class ManyParts {
      constructor(private readonly enumerators: EnumeratorBuilder) {}

      @BuildPartitions()
      async split() {
        await queue?.pause();
        return Array.from({ length: PARTS }, (_, index) => index);
      }

      @BuildEnumerator()
      build({ cursor, part }: BuildContext<unknown, number, number>) {
        return this.enumerators.array([part as number], { cursor });
      }

      @EachIteration()
      each(part: number) {
        handled += part;
      }
    }

    const aroundRun: AroundRun = async ({ job, run }, next) => {
      if (!job.parent && run > 1) beforeSettling = await commands();
      await next();
      if (!job.parent) void runs[run - 1]?.wait();
    };
    const app = await queues.start({ processors: [ManyParts], iteration: { aroundRun } });
    queue = app.queue();
    const before = await commands();
    const job = await queue.add('many', {});
    await runs[0]?.reached;
    const added = (await commands()) - before;
    await until('the job waits for its parts', () => job.isWaitingChildren());
    const waiting = await queue.getJobCountByTypes('waiting', 'paused' as never); // a paused queue's are apart on PostgreSQL
    expect([await queue.getActiveCount(), waiting, handled]).toEqual([0, PARTS, 0]);
    expect(added / PARTS).toBeLessThan(AT_MOST[queues.backend].add);

    await queue.resume();
    await runs[1]?.reached;
    const settled = await commands();
    const ended = await app.settled(job);
    expect([ended.returnvalue, handled]).toEqual([{ processed: PARTS, skipped: 0 }, (PARTS * (PARTS - 1)) / 2]);
    const { settle, all } = AT_MOST[queues.backend];
    expect((settled - beforeSettling) / PARTS).toBeLessThan(settle);
    expect((settled - before) / PARTS).toBeLessThan(all);
    expect(await queue.getJobCounts('completed', 'waiting', 'active', 'failed')).toMatchObject({
      ...{ completed: 1, waiting: 0, active: 0, failed: 0 },
    });
  });
});
