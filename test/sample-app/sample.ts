import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { until } from '../support/until.js';

const project = fileURLToPath(new URL('../../', import.meta.url));

export interface BuiltSample {
  readonly main: string;
  /** The process of its embedded server. */
  readonly server: string;
  remove(): void;
}

/** Builds the package and its sample as `npm run sample` does, in a temporary folder: `dist` may change meanwhile. */
export function buildSample(): BuiltSample {
  const place = mkdtempSync(join(tmpdir(), 'iteration-test-sample-'));
  const dist = join(place, 'dist');
  const sample = join(place, 'sample-app');
  mkdirSync(sample);
  copyFileSync(join(project, 'package.json'), join(place, 'package.json'));
  copyFileSync(join(project, 'sample-app/schema.sql'), join(sample, 'schema.sql'));
  symlinkSync(join(project, 'node_modules'), join(place, 'node_modules'), 'junction');
  execFileSync(process.execPath, [join(project, '.ci/build.mjs'), dist]);
  const config = {
    extends: join(project, 'sample-app/tsconfig.json'),
    compilerOptions: {
      outDir: join(sample, 'dist'),
      paths: {
        'nestjs-iteration': [join(dist, 'esm/index.d.ts')],
        'nestjs-iteration/board': [join(dist, 'esm/board/index.d.ts')],
      },
    },
    include: [join(project, 'sample-app/**/*.ts')],
  };
  writeFileSync(join(sample, 'tsconfig.json'), JSON.stringify(config));
  execFileSync(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', sample]);
  return {
    main: join(sample, 'dist/main.js'),
    server: join(sample, 'dist/servers/embedded-postgres.process.js'),
    remove: () => rmSync(place, { recursive: true, force: true }),
  };
}

/** The progress of a job in a line of the terminal. */
export interface ShownProgress {
  readonly job: string;
  readonly done: number;
  readonly total: number;
}

/** One start of the sample, and the lines that it prints. */
export class SampleRun {
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(main: string, { args, env }: { args: readonly string[]; env: Record<string, string | undefined> }) {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, REDIS_URL: undefined, DATABASE_URL: undefined, ...env },
      detached: true, // its own process group, as in a terminal
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (line) => this.lines.push(line));
    }
    this.#process = child;
    this.#exited = once(child, 'close');
  }

  /** The exit code, or the signal that ended it. */
  async exit(): Promise<number | string> {
    const [code, signal] = await this.#exited;
    return (code ?? signal) as number | string;
  }

  /** Sends SIGINT to the whole process group, as a terminal does. */
  async pressCtrlC(): Promise<void> {
    process.kill(-(this.#process.pid as number), 'SIGINT');
    expect(await this.exit()).toBe('SIGINT');
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.exit();
  }

  /** Resolves when the application is up. */
  up(): Promise<string> {
    return this.#until('the application is up', () => this.lines.find((line) => line.startsWith('Queue: ')));
  }

  /** The address of the board. */
  async board(): Promise<string> {
    const find = () => this.lines.map((line) => /^Board: (\S+)$/.exec(line)?.[1]).find(Boolean);
    return this.#until('the board has an address', find);
  }

  /** A job that advanced in this run, and has enough items left not to end at once. */
  advance(): Promise<ShownProgress> {
    return this.#until('a job advances', () => {
      const first = new Map<string, number>();
      for (const { job, done, total } of this.lines.flatMap(shown)) {
        if (!first.has(job)) first.set(job, done);
        else if (done > (first.get(job) as number) && done < total * 0.5) return { job, done, total };
      }
      return undefined;
    });
  }

  /** Where the job resumed. */
  async resumed(job: string): Promise<{ after: string; run: number; items: number }> {
    const pattern = new RegExp(`^Job ${job} .* resumed after (.+) \\(run (\\d+), (\\d+) items? processed\\)$`);
    const [, after, run, items] = await this.#until(`${job} is resumed`, () =>
      this.lines.map((line) => pattern.exec(line)).find((match) => match !== null),
    );
    return { after: after as string, run: Number(run), items: Number(items) };
  }

  #until<T>(what: string, condition: () => T | undefined): Promise<T> {
    return until(
      () => `${what}; the sample printed\n${this.lines.slice(-20).join('\n')}`,
      () => {
        const found = condition();
        const { exitCode, signalCode } = this.#process;
        if (found !== undefined || (exitCode ?? signalCode) === null) return found;
        throw new Error(`The sample ended before: ${what}\n${this.lines.join('\n')}`);
      },
    );
  }
}

function shown(line: string): ShownProgress[] {
  const [, job, done, total] = /^([\w-]+): \d+% (\d+)\/(\d+)/.exec(line) ?? [];
  return job === undefined ? [] : [{ job, done: Number(done), total: Number(total) }];
}
