import type { EventEmitter } from 'node:events';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Client, Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { assertSupported, bullmqOf } from '../../lib/bullmq/index.js';
import { IterationError } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { OwnRedis } from '../support/own-redis.js';
import { hasRedisServer } from '../support/redis-server.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

function queueOf(version: string): Queue {
  return { metaValues: { version } } as unknown as Queue;
}

describe('the installed BullMQ', () => {
  it('an object that BullMQ did not make belongs to no BullMQ', () => {
    expect(bullmqOf({ add: () => {} })).toBeUndefined();
  });

  it.each(['4.18.3', '5.71.1', '6.3.1'])(
    'BullMQ %s is refused, with its version and the versions that are needed',
    (old) => {
      const refused = () => assertSupported(queueOf(`bullmq:${old}`));
      expect(refused).toThrow(IterationError);
      expect(refused).toThrow(`BullMQ ${old} is installed, which`);
      expect(refused).toThrow('Install BullMQ 5.72 or a later 5, or 6.4 or a later 6');
    },
  );

  it.each(['bullmq:5.72.0', 'bullmq:6.4.0', 'bullmq:6.10.1', 'bullmq:7.0.0', 'bullmq-pro:1.0.0'])(
    '%s is accepted',
    (version) => {
      expect(() => assertSupported(queueOf(version))).not.toThrow();
    },
  );
});

describeQueues('an application', ['redis'], (queues) => {
  it('an application with an old BullMQ fails to start', async () => {
    const { type } = storyProcessor();
    const version = Object.getOwnPropertyDescriptor(Queue.prototype, 'metaValues') as PropertyDescriptor;
    Object.defineProperty(Queue.prototype, 'metaValues', { ...version, get: () => ({ version: 'bullmq:5.40.2' }) });
    try {
      await expect(queues.start({ processors: [type] })).rejects.toThrow('BullMQ 5.40.2 is installed');
    } finally {
      Object.defineProperty(Queue.prototype, 'metaValues', version);
    }
  });
});

describeQueues('a queue that is closed', ['redis'], (queues) => {
  it('R15: an error of its connection that comes later does not end the process', async () => {
    const queue = new Queue('jobs', queues.place as never);
    queue.on('error', () => {});
    bullmqOf(queue)?.patch(queue);
    await queue.waitUntilReady();
    await queue.close();
    const { connection } = queue as unknown as { connection?: EventEmitter }; // of BullMQ 5
    expect(() => connection?.emit('error', new Error('Connection is closed.'))).not.toThrow();
  });
});

if (BACKENDS.includes('postgres')) {
  describeQueues('a worker that is closed while it starts', ['postgres'], (queues) => {
    it('R15: a closing worker opens no further connection, which nobody would close', async () => {
      const worker = new Worker('jobs', async () => {}, {
        connection: queues.place.connection,
        autorun: false,
      } as never);
      bullmqOf(worker)?.patch(worker);
      await worker.waitUntilReady();
      await worker.close();
      const { connection } = worker.getBackend() as unknown as { connection: { getListenClient(): Promise<Client> } };
      const late = await connection.getListenClient().catch((error: Error) => error);
      if (!(late instanceof Error)) await late.end();
      expect(late).toEqual(new Error('Connection is closed.'));
    });
  });

  describeQueues('a server that goes away', ['postgres'], (queues) => {
    it('R21: a connection that ends while BullMQ uses it does not end the process', async () => {
      const queue = new Queue('jobs', queues.place as never);
      queue.on('error', () => {});
      for (let times = 0; times < 2; times++) bullmqOf(queue)?.patch(queue);
      await queue.waitUntilReady();
      const { connection } = queue.getBackend() as unknown as { connection: { pool: Pool } };
      for (let times = 0; times < 3; times++) {
        const client = await connection.pool.connect();
        const listeners = client.listenerCount('error');
        client.release();
        expect(listeners).toBe(1); // without one, an error of the client is an uncaught exception
      }
      await queue.close();
    });
  });
}

describe.runIf(hasRedisServer())('a worker that is disconnected', () => {
  it('disconnect closes every connection of a worker, also the one that waits for jobs', async () => {
    const server = await OwnRedis.start();
    const admin = new Redis(server.port, '127.0.0.1');
    const connections = async () =>
      String(await admin.client('LIST'))
        .trim()
        .split('\n').length;
    const worker = new Worker('jobs', async () => {}, { connection: { host: '127.0.0.1', port: server.port } });
    worker.on('error', () => {}); // its connections are closed
    bullmqOf(worker)?.patch(worker);
    try {
      await until('the worker waits for jobs', async () => (await connections()) === 3);
      await bullmqOf(worker)?.disconnect(worker);
      await until('only this connection is left', async () => (await connections()) === 1, 10_000);
    } finally {
      admin.disconnect();
      await worker.close(true);
      await server.remove();
    }
  });
});
