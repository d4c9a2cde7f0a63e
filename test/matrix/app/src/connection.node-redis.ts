import type { ConnectionOptions } from 'bullmq';
import { createClient } from 'redis';

export function connection(): ConnectionOptions {
  const client = createClient({ url: process.env.REDIS_URL as string });
  client.on('error', () => {});
  return client as never;
}
