import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Queue, Worker } from 'bullmq';
import { disconnect } from './bullmq.workarounds.js';

/** How often a stopping worker checks whether its last run has ended. */
const LOOK_MS = 50;
/** A worker without a job may take this long to close. */
const CLOSE_MS = 1_000;

/**
 * BullMQ waits for Redis without limit before it closes a connection; with no job left there is nothing to wait for.
 *
 * @param closed The worker's own closing.
 */
export async function disconnectWhenIdle(
  worker: Worker,
  {
    active,
    closed,
    queue,
  }: { readonly active: ReadonlySet<unknown>; readonly closed: Promise<void>; readonly queue: Queue },
): Promise<void> {
  const closing = new AbortController();
  closed.catch(() => {}).finally(() => closing.abort());
  const wait = (ms: number) => delay(ms, undefined, { signal: closing.signal }).catch(() => {}); // closed
  while (active.size > 0 && !closing.signal.aborted) await wait(LOOK_MS);
  await wait(CLOSE_MS);
  if (closing.signal.aborted) return;
  new Logger('Iteration').warn(
    `Worker of ${worker.name}: no job is running and its backend does not answer; disconnecting`,
  );
  queue.close = () => disconnect(queue, CLOSE_MS); // BullModule closes it next, and would wait as well
  await disconnect(worker, CLOSE_MS);
}
