import { Redis } from 'ioredis';
import pg from 'pg';
import { type Queues, redisConnection } from './app.js';
import { tokensOf } from './lock-tokens.js';

/** So long that no living process loses a lock on a busy machine. Tests expire the locks of dead processes. */
export const LASTING_LOCKS = { lockDuration: 60_000, stalledInterval: 250 } as const;

/** Expires the locks that a dead process has left. Its program names their tokens (`lock-tokens.ts`). */
export function endLocksOf(pid: number | undefined, queues: Queues, queue = 'jobs'): Promise<void> {
  return endLocks(queues, queue, tokensOf(pid));
}

/** Expires the locks of a queue's active jobs. */
export async function endLocks({ backend, place }: Queues, queue = 'jobs', token = ''): Promise<void> {
  if (backend === 'postgres') {
    const { connectionString, schema } = place.connection as { connectionString: string; schema: string };
    const client = new pg.Client({ connectionString });
    await client.connect();
    const sql = `UPDATE ${schema}.job SET locked_until_ms = 0, lock_token = 'expired' WHERE state = 'active' AND lock_token LIKE $1`;
    await client.query(sql, [`${token}%`]);
    await client.end();
    return;
  }
  const redis = new Redis(redisConnection());
  for (const id of await redis.lrange(`${place.prefix}:${queue}:active`, 0, -1)) {
    const lock = `${place.prefix}:${queue}:${id}:lock`;
    if ((await redis.get(lock))?.startsWith(token)) await redis.del(lock);
  }
  await redis.quit();
}
