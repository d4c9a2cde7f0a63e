import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { WorkerRegistrar } from '../../lib/worker/worker.registrar.js';
import { Queues } from '../support/app.js';
import { Lateness } from '../support/lateness.js';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.js';
import { storyProcessor } from '../support/story.js';

describe.runIf(hasRedisServer())('an unreachable Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    redis.process.kill('SIGCONT');
    await redis.stop();
  });

  it('R15: an unreachable Redis does not keep a process from exiting after the shutdown deadline', async () => {
    const queues = new Queues('redis');
    queues.moveTo({ connection: { host: '127.0.0.1', port: redis.port } });
    const [reached, release] = [new Gate(), new Gate()];
    const { type } = storyProcessor({
      each: async () => {
        void reached.wait();
        await release.wait();
      },
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 200 } } });
    await app.queue().add('story', {});
    await reached.reached;
    redis.process.kill('SIGSTOP');
    release.open();
    const lateness = new Lateness();
    await app.nest.get(WorkerRegistrar).onModuleDestroy();
    lateness.expectWithin(200 + 4_500, 'R15');
    redis.process.kill('SIGCONT');
    await queues.closeApps();
  });

  it('R1, R15: a run that cannot put its job back in time does not complete the job instead', async () => {
    const queues = new Queues('redis');
    queues.moveTo({ connection: { host: '127.0.0.1', port: redis.port }, prefix: 'put-back' });
    const admin = new Redis(redis.port, '127.0.0.1');
    const unable = new Gate();
    const { type, story, script } = storyProcessor({
      each: (letter, context) => {
        if (letter === 'b') context.retryIn(0);
      },
      hook: async (event) => {
        if (event !== 'end interrupt') return;
        await admin.client('PAUSE', 60_000, 'WRITE');
        void unable.wait();
      },
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 50 } } });
    // Two writes put this job back. The second is sent only after the answer to the first.
    const deduplication = { id: 'only-one', replace: true };
    const job = await app.queue().add('story', { letters: 'abcd' }, { deduplication });
    await unable.reached;
    await app.nest.get(WorkerRegistrar).onModuleDestroy(); // lasts longer than a run may take to put its job back
    await admin.client('UNPAUSE');
    await queues.closeApps();
    script.each = undefined;
    script.hook = undefined;
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(story.filter((event) => event.length === 1).join('')).toBe('abcd');
    await queues.closeApps();
    await admin.quit();
  });
});
