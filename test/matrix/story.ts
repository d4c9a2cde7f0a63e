import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { numbers } from './project.js';

export interface Program {
  readonly node: string;
  readonly entry: string;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
}

const KINDS = ['lines', 'rows'] as const;
const HOOK = / (start|resume|complete)$/;
/** A net against what hangs. */
const NET_MS = 120_000;

/**
 * Two jobs run. SIGTERM stops their worker in the middle of both, and another worker resumes them.
 *
 * @throws Error that says what differs
 */
export async function resumes(program: Program): Promise<void> {
  const first = new Worker(program, { STOPS: 'yes' });
  await first.until((kind) => first.lines.includes(`${kind} waits`));
  await first.stop();
  const second = new Worker(program, {});
  await second.until((kind) => second.lines.includes(`${kind} complete`));
  await second.stop();
  for (const kind of KINDS) {
    const items = [first.items(kind), second.items(kind)];
    const handled = items.flat().sort((one, other) => one - other);
    if (String(handled) !== String(numbers()))
      throw new Error(`${kind}: ${handled.length} handled, ${describe(handled)}`);
    const hooks = [first, second].map(({ lines }) => lines.filter((line) => HOOK.test(line) && line.startsWith(kind)));
    const called = hooks.map((lines) => lines.join(', ')).join(' | ');
    if (called !== `${kind} start | ${kind} resume, ${kind} complete`) throw new Error(`hooks were called: ${called}`);
    if (items.some(({ length }) => length === 0)) throw new Error(`${kind}: one of the workers handled nothing`);
  }
}

function describe(handled: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const item of handled) counts.set(item, (counts.get(item) ?? 0) + 1);
  const lost = numbers().filter((item) => !counts.has(item));
  const repeated = [...counts].filter(([, count]) => count > 1).map(([item]) => item);
  return `lost: ${lost.slice(0, 10).join(', ') || 'none'}; repeated: ${repeated.slice(0, 10).join(', ') || 'none'}`;
}

class Worker {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  #heard: () => void = () => {};

  constructor({ node, entry, directory, env }: Program, more: NodeJS.ProcessEnv) {
    this.#child = spawn(node, [entry], { cwd: directory, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
        this.lines.push(line);
        this.#heard();
      });
    }
    this.#exited = once(this.#child, 'close');
    void this.#exited.then(() => this.#heard());
  }

  items(kind: string): number[] {
    return this.lines.flatMap((line) => {
      const [, item] = new RegExp(`^${kind} (\\d+)$`).exec(line) ?? [];
      return item ? [Number(item)] : [];
    });
  }

  /** Resolves when both jobs are so far. */
  async until(isSoFar: (kind: string) => boolean): Promise<void> {
    const net = setTimeout(() => this.#child.kill('SIGKILL'), NET_MS);
    try {
      while (!KINDS.every(isSoFar)) {
        if ((this.#child.exitCode ?? this.#child.signalCode) !== null)
          throw new Error(`The worker has ended:\n${this.#last()}`);
        await new Promise<void>((resolve) => {
          this.#heard = resolve;
        });
      }
    } finally {
      clearTimeout(net);
    }
  }

  /** As a deploy does: Nest closes the application, and the process then ends by the signal. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const net = setTimeout(() => this.#child.kill('SIGKILL'), NET_MS);
    const [code, signal] = await this.#exited;
    clearTimeout(net);
    if (signal !== 'SIGTERM') throw new Error(`The worker ended with ${String(code ?? signal)}:\n${this.#last()}`);
  }

  #last(): string {
    return this.lines
      .filter((line) => !/^(lines|rows) \d+$/.test(line))
      .slice(-30)
      .join('\n');
  }
}
