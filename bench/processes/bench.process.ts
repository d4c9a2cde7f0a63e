import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { now, type Told } from './tell.js';

/** One of the programs beside this file, in a process of its own. */
export class BenchProcess {
  readonly spawnedAt = now();
  /** When it was gone. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  readonly #told: Told[] = [];

  constructor(program: string, config: object) {
    const path = new URL(`./${program}.js`, import.meta.url);
    this.#child = fork(path, [JSON.stringify(config)], { execArgv: [], env: { ...process.env, NO_COLOR: '1' } });
    this.#child.on('message', (told: Told) => this.#told.push(told));
    this.exited = once(this.#child, 'exit').then(() => now());
  }

  /** What it tells of that name, now or later. */
  async told<Facts = object>(what: string): Promise<Told & Facts> {
    for (;;) {
      const told = this.#told.find((one) => one.what === what);
      if (told) return told as Told & Facts;
      const ended = await Promise.race([once(this.#child, 'message').then(() => false), this.exited.then(() => true)]);
      if (ended && !this.#told.some((one) => one.what === what)) throw new Error(`It ended without a word of ${what}`);
    }
  }

  /** @returns when it was told to end. */
  terminate(): number {
    const at = now();
    this.#child.kill('SIGTERM');
    return at;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }
}
