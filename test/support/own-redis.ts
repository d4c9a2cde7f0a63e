import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { freePort } from './ports.js';

/** A redis-server with an append-only file that can be stopped, started again, and kept from writing. */
export class OwnRedis {
  readonly #directory = mkdtempSync(join(tmpdir(), 'iteration-test-own-redis-'));
  #server: ChildProcess | undefined;

  private constructor(readonly port: number) {}

  static async start(): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort());
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const options = { port: this.port, bind: '127.0.0.1', save: '', appendonly: 'yes', dir: this.#directory };
    const server = spawn(
      'redis-server',
      Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.#server = server;
    for await (const line of createInterface({ input: server.stdout })) if (line.includes('Ready to accept')) break;
    server.stdout.resume();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    await exited;
  }

  /** Sends an administrative command. */
  async command(name: string, ...args: string[]): Promise<void> {
    const admin = new Redis(this.port, '127.0.0.1');
    await admin.call(name, ...args);
    await admin.quit();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
