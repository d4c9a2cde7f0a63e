import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedPostgres } from './embedded-postgres.js';
import { hasMariaDb, localMariaDb, startMariaDb } from './mariadb-server.js';
import { freePort } from './ports.js';
import { hasRedisServer, startRedis } from './redis-server.js';

/**
 * Vitest's global setup: sets REDIS_URL, DATABASE_URL and MARIADB_URL for every suite. Starts the servers that the
 * environment does not name, and stops them at the end.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const started = await Promise.allSettled([redis(), postgres(), mariaDb()]);
  const stops = started.flatMap((server) => (server.status === 'fulfilled' && server.value ? [server.value] : []));
  const stop = async () => {
    await Promise.all(stops.map((end) => end()));
  };
  const failed = started.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') {
    await stop();
    throw failed.reason;
  }
  return stop;
}

/** Stops a server that this setup started. */
type Stop = () => Promise<unknown>;

async function redis(): Promise<Stop | undefined> {
  if (process.env.REDIS_URL) return undefined;
  if (!hasRedisServer())
    return missing('No REDIS_URL and no redis-server on this machine', 'redis-server, or set REDIS_URL');
  const server = await startRedis();
  process.env.REDIS_URL = server.url;
  return () => server.stop();
}

async function postgres(): Promise<Stop | undefined> {
  if (process.env.DATABASE_URL) return undefined;
  const database = await startDatabase();
  process.env.DATABASE_URL = database.url;
  return database.stop;
}

async function mariaDb(): Promise<Stop | undefined> {
  if (process.env.MARIADB_URL) return undefined;
  if (hasMariaDb()) {
    const server = await startMariaDb();
    process.env.MARIADB_URL = server.url;
    return () => server.stop();
  }
  const local = await localMariaDb();
  if (local) {
    process.env.MARIADB_URL = local;
    return undefined;
  }
  return missing('No MARIADB_URL and no mariadbd on this machine', 'mariadb-server, or set MARIADB_URL');
}

function missing(what: string, instead: string): undefined {
  if (process.env.CI === 'true') throw new Error(`${what}. CI needs it`);
  console.warn(`\n*** ${what}: THE SUITES THAT NEED IT ARE NOT RUN. Install ${instead}. ***\n`);
}

async function startDatabase(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'iteration-test-pg-'));
  const port = await freePort();
  const EmbeddedPostgres = await embeddedPostgres();
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
