import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** What the server's process says on its only line. */
export type Said = { readonly url: string } | { readonly error: string };

/**
 * Starts PostgreSQL from npm, and returns its URL.
 *
 * Its process is detached: a Ctrl-C goes to the terminal's whole process group, and the server must outlive the jobs that
 * are interrupted by it. It stops when our end of its stdin is closed, by whatever ends this process.
 */
export async function startEmbeddedPostgres({ fresh }: { fresh: boolean }): Promise<string> {
  const script = fileURLToPath(new URL('./embedded-postgres.process.js', import.meta.url));
  const server = spawn(process.execPath, [script, ...(fresh ? ['--fresh'] : [])], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
  });
  const said = await firstLine(server.stdout);
  if ('error' in said) throw new Error(said.error);
  server.on('exit', () => {
    console.error('\nThe embedded PostgreSQL is gone. Start again: the jobs carry on at their last checkpoint');
    process.exit(1);
  });
  // This process may end when its own work is done.
  for (const handle of [server, server.stdin, server.stdout]) (handle as unknown as { unref(): void }).unref();
  return said.url;
}

async function firstLine(output: Readable): Promise<Said> {
  for await (const line of createInterface({ input: output })) return JSON.parse(line) as Said;
  return { error: 'The embedded PostgreSQL: its process ended without a word' };
}
