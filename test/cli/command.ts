import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../lib/cli/run.cli.js';
import type { Queues } from '../support/app.js';

const MAIN = fileURLToPath(new URL('../processes/dist/lib/cli/main.js', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the compiled command in a process of its own, which knows no server but those of `env`. */
export async function command(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const { REDIS_URL: _, DATABASE_URL: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, NO_COLOR: '1', ...env },
  });
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, err };
}

/** The same in the process of the test. */
export async function called(args: readonly string[]): Promise<Result> {
  const said = { out: '', err: '' };
  const code = await runCli(args, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { code, ...said };
}

/** The options that name the place of a test's queues. */
export function placeOptions({ place }: Queues): readonly string[] {
  const { connectionString, schema } = place.connection as { connectionString?: string; schema?: string };
  return connectionString
    ? ['--url', connectionString, '--schema', schema as string]
    : ['--url', process.env.REDIS_URL as string, '--prefix', place.prefix as string];
}
