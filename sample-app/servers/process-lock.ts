import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 10_000;

/**
 * Locks the directory for this process until it ends, by a listening socket, which a kill releases too. Waits for an
 * earlier holder that is about to end.
 */
export async function lockProcess(directory: string): Promise<void> {
  const address = process.platform === 'win32' ? `\\\\.\\pipe\\${basename(directory)}` : join(directory, 'lock');
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await listen(address))) {
    if (await answers(address)) await delay(50);
    else await rm(address, { force: true });
    if (Date.now() > deadline) throw new Error('another `npm run sample` of this checkout is running. Stop it first');
  }
}

async function listen(address: string): Promise<boolean> {
  const server = createServer((socket) => socket.destroy()).listen(address);
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  }
}

async function answers(address: string): Promise<boolean> {
  const socket = connect(address);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
