import { createPostgresBackend, Queue, setDefaultBackendFactory } from 'bullmq';
import { databaseUrl, QUEUE_SCHEMA } from './database.js';

const REDIS_PREFIX = 'iteration-sample';

/** For `BullModule.forRootAsync`: the Redis of REDIS_URL, or else BullMQ's tables in the database. */
export function queueServer() {
  const { REDIS_URL } = process.env;
  if (REDIS_URL) return { connection: { url: REDIS_URL }, prefix: REDIS_PREFIX };
  return { connection: { connectionString: databaseUrl(), schema: QUEUE_SCHEMA, migrate: true } };
}

/** Sets BullMQ's backend before any queue is created; `fresh` removes the jobs of earlier runs from Redis. */
export async function prepareQueue({ fresh }: { fresh: boolean }): Promise<void> {
  if (!process.env.REDIS_URL) setDefaultBackendFactory(createPostgresBackend);
  else if (fresh) {
    const queue = new Queue('sample', queueServer());
    await queue.obliterate({ force: true });
    await queue.close();
  }
}
