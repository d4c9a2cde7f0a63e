import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Message, now } from './message.js';

/** Runs one of the programs in this folder, in its own process. */
export class BenchProcess {
  readonly spawnedAt = now();
  /** When the process ended. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  readonly #messages: Message[] = [];

  constructor(program: string, config: object) {
    const path = new URL(`./${program}.js`, import.meta.url);
    this.#child = fork(path, [JSON.stringify(config)], { execArgv: [], env: { ...process.env, NO_COLOR: '1' } });
    this.#child.on('message', (message: Message) => this.#messages.push(message));
    this.exited = once(this.#child, 'exit').then(() => now());
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resolves with the message of that name, as soon as the process has sent it. */
  async message<Facts = object>(what: string): Promise<Message & Facts> {
    for (;;) {
      const message = this.#messages.find((one) => one.what === what);
      if (message) return message as Message & Facts;
      const ended = await Promise.race([once(this.#child, 'message').then(() => false), this.exited.then(() => true)]);
      if (ended && !this.#messages.some((one) => one.what === what))
        throw new Error(`The process ended without the message "${what}"`);
    }
  }

  /** Sends SIGTERM. @returns when. */
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
