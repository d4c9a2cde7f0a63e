import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** The only line that the server's process prints. */
export type Report = { readonly url: string } | { readonly error: string };

/**
 * Starts PostgreSQL from npm, and returns its URL.
 *
 * Its process is detached: a Ctrl-C goes to the terminal's whole process group, and the server must outlive the jobs
 * that the Ctrl-C interrupts. The server stops when this process ends for any reason, which closes its stdin.
 */
export async function startEmbeddedPostgres({ fresh }: { fresh: boolean }): Promise<string> {
  const script = fileURLToPath(new URL('./embedded-postgres.process.js', import.meta.url));
  const server = spawn(process.execPath, [script, ...(fresh ? ['--fresh'] : [])], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
  });
  const report = await firstLine(server.stdout);
  if ('error' in report) throw new Error(report.error);
  server.on('exit', () => {
    console.error('\nThe embedded PostgreSQL is gone. Start again: the jobs resume after their last checkpoint');
    process.exit(1);
  });
  // The server does not keep this process alive.
  for (const handle of [server, server.stdin, server.stdout]) (handle as unknown as { unref(): void }).unref();
  return report.url;
}

async function firstLine(output: Readable): Promise<Report> {
  for await (const line of createInterface({ input: output })) return JSON.parse(line) as Report;
  return { error: 'The embedded PostgreSQL: its process ended before it reported a URL' };
}
