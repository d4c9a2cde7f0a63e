import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerRegistrar } from '../../lib/worker/worker.registrar.js';
import { Queues } from '../support/app.js';
import { hasRedisServer, type RedisServer, startRedis } from '../support/redis-server.js';
import { storyProcessor } from '../support/story.js';
import { Gate } from '../support/until.js';

describe.runIf(hasRedisServer())('an unreachable Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    redis.process.kill('SIGCONT');
    await redis.stop();
  });

  it('R15: does not keep a process from exiting: waiting for a checkpoint is bounded by the deadline', async () => {
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
    const asked = Date.now();
    await app.nest.get(WorkerRegistrar).onModuleDestroy();
    expect(Date.now() - asked).toBeLessThan(200 + 4_500);
    redis.process.kill('SIGCONT');
    await queues.closeApps();
  });
});
