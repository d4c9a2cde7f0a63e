import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WorkerConfig } from '../processes/worker.config.js';
import { until } from './until.js';

const PROCESSES = fileURLToPath(new URL('../processes/', import.meta.url));

/** A worker in its own process, one of the programs of `test/processes`, and all lines that it printed. */
export class WorkerProcess<Config extends object = WorkerConfig> {
  readonly lines: string[] = [];
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  /** @param options `node`: Node's own options; `env`: further variables. */
  constructor(
    config: Config,
    program = 'worker',
    options: { readonly node?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const path = join(PROCESSES, `dist/test/processes/${program}.js`);
    this.child = spawn(process.execPath, [...(options.node ?? []), path, JSON.stringify(config)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...options.env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => this.lines.push(line));
    }
    this.exited = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Resolves with the first line that matches. */
  said(pattern: RegExp): Promise<string> {
    return until(
      () => `the worker prints ${pattern}; it printed\n${this.lines.slice(-20).join('\n')}`,
      () => {
        const line = this.lines.find((said) => pattern.test(said));
        if (!line && (this.child.exitCode ?? this.child.signalCode) !== null)
          throw new Error(`The worker has exited:\n${this.lines.slice(-20).join('\n')}`);
        return line;
      },
    );
  }

  /** The numbers of the items that a job handled here, in order. */
  items(job: string): number[] {
    return this.lines.flatMap((line) => {
      const [, id, item] = /^item (\S+) (\d+)/.exec(line) ?? [];
      return id === job ? [Number(item)] : [];
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
