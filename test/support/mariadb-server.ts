import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { freePort } from './ports.js';

export interface MariaDbServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Whether there is a mariadbd to start. */
export function hasMariaDb(): boolean {
  return program('mariadbd') !== undefined && program('mariadb-install-db') !== undefined;
}

/** Starts a private mariadbd with empty system tables, ready for connections. */
export async function startMariaDb(): Promise<MariaDbServer> {
  const directory = mkdtempSync(join(tmpdir(), 'iteration-test-mariadb-'));
  const data = join(directory, 'data');
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  await promisify(execFile)(program('mariadb-install-db') as string, [
    ...['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    ...asRoot,
  ]);
  const port = await freePort();
  const server = spawn(
    program('mariadbd') as string,
    [
      ...['--no-defaults', `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--socket=${join(directory, 'socket')}`, `--pid-file=${join(directory, 'pid')}`],
      `--tmpdir=${directory}`, // a server that starts removes the temporary tables of its tmpdir
      ...['--innodb-flush-log-at-trx-commit=0', '--skip-log-bin', '--skip-name-resolve'],
      ...asRoot,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(server, 'exit');
  const log: string[] = [];
  let isReady = false;
  for await (const line of createInterface({ input: server.stderr })) {
    log.push(line);
    if (line.includes('ready for connections')) {
      isReady = true;
      break;
    }
  }
  if (!isReady) throw new Error(`mariadbd did not start:\n${log.join('\n')}`);
  server.stderr.resume();
  return {
    url: `mysql://root@127.0.0.1:${port}`,
    async stop() {
      server.kill('SIGTERM');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The server of this machine, if root needs no password; undefined without one. */
export async function localMariaDb(): Promise<string | undefined> {
  const url = 'mysql://root@127.0.0.1:3306';
  try {
    await (await createConnection(url)).end();
    return url;
  } catch {
    return undefined;
  }
}

/** The path of a program. Debian keeps daemons outside the PATH of a user. */
function program(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
