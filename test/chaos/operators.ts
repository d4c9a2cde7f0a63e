import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Answer, RecordRow } from './ledger.js';
import type { OperatorConfig } from './operator.js';

export interface OperatorsOptions {
  readonly operators: number;
  /** The compiled `operator.ts`. */
  readonly program: URL;
  readonly config: Omit<OperatorConfig, 'name' | 'number' | 'operators'>;
  readonly record: (row: RecordRow) => void;
}

/** Web processes that control the jobs while the workers are disturbed. */
export class Operators {
  readonly #processes: readonly { readonly child: ChildProcess; readonly exited: Promise<unknown> }[];

  constructor({ config, operators, program, record }: OperatorsOptions) {
    this.#processes = Array.from({ length: operators }, (_, number) => {
      const own: OperatorConfig = { ...config, name: `operator-${number}`, number, operators };
      const child = spawn(process.execPath, [program.pathname, JSON.stringify(own)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NO_COLOR: '1' },
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [, answer] = /^answer (.*)$/.exec(line) ?? [];
        if (answer) record({ at: Date.now(), type: 'answer', ...(JSON.parse(answer) as Answer) });
      });
      return { child, exited: once(child, 'close') };
    });
    process.on('exit', this.#killAll);
  }

  /** Each operator answers its last request first. */
  async end(): Promise<void> {
    const early = this.#processes.filter(({ child }) => child.exitCode !== null || child.signalCode !== null);
    for (const { child } of this.#processes) child.kill('SIGTERM');
    await Promise.all(this.#processes.map(({ exited }) => exited));
    if (early.length > 0) throw new Error(`${early.length} operators ended before they were stopped`);
  }

  kill(): void {
    this.#killAll();
    process.off('exit', this.#killAll);
  }

  readonly #killAll = () => {
    for (const { child } of this.#processes) child.kill('SIGKILL');
  };
}
