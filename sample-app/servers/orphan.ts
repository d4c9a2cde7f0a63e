import { execFileSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 10_000;

/**
 * Ends a server that still runs on the data directory after its parent process was killed. Removes a `postmaster.pid`
 * whose number now belongs to another program (after a reboot): PostgreSQL would refuse to start.
 */
export async function endOrphan(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid) return;
  const command = commandOf(pid);
  if (command === undefined) return; // PostgreSQL detects that too, and recovers
  if (!command.includes(data)) return rm(file);
  process.kill(pid, 'SIGINT'); // PostgreSQL's fast shutdown
  const deadline = Date.now() + DEADLINE_MS;
  while (commandOf(pid)?.includes(data)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL of an earlier run, process ${pid}, does not end`);
    await delay(50);
  }
}

function commandOf(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}
