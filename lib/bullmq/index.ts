export type { Owner } from './bullmq.js';
export { assertSupported, bullmqOf } from './installed.bullmq.js';
export { type RedisClient, runCommand } from './redis.client.js';
