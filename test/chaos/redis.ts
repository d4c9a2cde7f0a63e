import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../support/ports.js';

/** A redis-server that keeps every acknowledged write, and can be stopped and started. */
export class LastingRedis {
  readonly #directory = mkdtempSync(join(tmpdir(), 'iteration-chaos-redis-'));
  #server!: ReturnType<typeof spawn>;

  private constructor(readonly port: number) {}

  static async start(): Promise<LastingRedis> {
    const redis = new LastingRedis(await freePort());
    process.on('exit', redis.#kill);
    await redis.start();
    return redis;
  }

  get connection(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  async start(): Promise<void> {
    const options = { port: this.port, bind: '127.0.0.1', save: '', appendonly: 'yes', appendfsync: 'always' };
    const flags = Object.entries({ ...options, dir: this.#directory });
    const server = spawn(
      'redis-server',
      flags.flatMap(([name, value]) => [`--${name}`, String(value)]),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    for await (const line of createInterface({ input: server.stdout })) if (line.includes('Ready to accept')) break;
    server.stdout.resume();
    this.#server = server;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const exited = once(this.#server, 'exit');
    this.#server.kill(signal);
    await exited;
  }

  readonly #kill = () => {
    this.#server.kill('SIGKILL');
  };

  async remove(): Promise<void> {
    if (this.#server.exitCode === null && this.#server.signalCode === null) await this.stop('SIGKILL');
    process.off('exit', this.#kill);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
