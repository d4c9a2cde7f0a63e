import { Injectable } from '@nestjs/common';
import { Queue } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
} from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { partedProcessor, throwFor } from '../support/parted.js';
import { freePort } from '../support/ports.js';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.js';
import { until } from '../support/until.js';

describeQueues('Redis Cluster', hasRedisServer() ? ['redis'] : [], (queues) => {
  let server: RedisServer;
  let cluster: Cluster;

  beforeAll(async () => {
    server = await startRedis([
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      String(await freePort()),
      '--cluster-announce-ip',
      '127.0.0.1',
    ]);
    const admin = new Redis(server.port, '127.0.0.1');
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until('the cluster serves', async () => /cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO'))));
    await admin.quit();
    cluster = new Cluster([{ host: '127.0.0.1', port: server.port }], { redisOptions: { maxRetriesPerRequest: null } });
  });
  beforeEach(() => queues.moveTo({ connection: cluster, prefix: '{jobs}' }));
  afterAll(async () => {
    await cluster.quit();
    await server.stop();
  });

  it('R27: parts, checkpoints, requests and dead letters work when the prefix is a hash tag', async () => {
    let partOfE = '';
    let isHeld = true;
    const { type, story } = partedProcessor(
      {
        each: async (letter, context) => {
          if (letter === 'b' && isHeld)
            await until('the run is asked to stop', () => context.interruption !== undefined);
          if (letter === 'e') partOfE = context.job.id as string;
          throwFor('e')(letter);
        },
      },
      { checkpoint: { everyItems: 1 }, itemFailure: { then: 'skip' } },
    );
    const app = await queues.start({ processors: [type] });
    const { iterations } = app;
    const job = await iterations.enqueue(type, { parts: ['abc', 'de', 'f'] });
    await until('two parts have ended', async () => (await iterations.status(job)).partStates?.completed === 2);
    await iterations.pause(job);
    await until('all is paused', async () => (await iterations.status(job)).partStates?.paused === 1);
    isHeld = false;
    await iterations.resume(job);
    const ended = await app.settled(job);
    expect([ended.returnvalue, story.slice(1, -1).sort().join('')]).toEqual([{ processed: 5, skipped: 1 }, 'abcdf']);

    expect(await iterations.deadLetters({ queue: 'jobs', id: partOfE })).toMatchObject([{ summary: '"e"' }]);
  });

  it('R24: the scripts of deduplication, retryIn and redrive work there, too', async () => {
    const handled: string[] = [];

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'plain', itemFailure: { then: 'skip' } })
    class Plain {
      constructor(private readonly enumerators: EnumeratorBuilder) {}

      @BuildEnumerator()
      build({ cursor }: BuildContext) {
        return this.enumerators.array(['a', 'b', 'c'], { cursor });
      }

      @EachIteration()
      each(letter: string, context: IterationContext) {
        handled.push(letter);
        if (letter === 'a') context.retryIn(1);
        if (letter === 'b' && handled.length < 3) throw new Error('bad b');
      }
    }

    const app = await queues.start({ processors: [Plain] });
    const { iterations } = app;
    const deduplication = { id: 'plain', keepLastIfActive: true };
    const job = await app.settled(await iterations.enqueue(Plain, {}, { deduplication }));
    expect([job.returnvalue, handled.join('')]).toEqual([{ processed: 2, skipped: 1 }, 'abc']);
    await app.settled(await iterations.redrive(job));
    expect([handled.at(-1), await iterations.deadLetters(job)]).toEqual(['b', []]);
  });

  it('R27: a prefix that is no hash tag is refused by Redis with the reason, before any job is added', async () => {
    const queue = new Queue('jobs', { connection: cluster, prefix: 'jobs' });
    queue.on('error', () => {});
    await expect(queue.add('parted', {})).rejects.toThrow(/same slot/);
    await queue.close();
  });
});
