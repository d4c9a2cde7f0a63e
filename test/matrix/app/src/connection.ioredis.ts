import type { ConnectionOptions } from 'bullmq';

export function connection(): ConnectionOptions {
  return { url: process.env.REDIS_URL as string, maxRetriesPerRequest: null };
}
