import { setTimeout as delay } from 'node:timers/promises';
import type { JobState } from 'bullmq';
import type { BullMQ, Owner } from './bullmq.js';

/** How long after a failure a closing worker retries. */
const RETRY_MS = 500;

interface Connection {
  disconnect(): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
  removeAllListeners(...events: string[]): Connection;
}

/** Members of BullMQ 5's queues and workers that are protected or private. */
interface Internals {
  readonly closing?: unknown;
  readonly connection: Connection;
  /** A worker's. */
  readonly blockingConnection?: Connection;
  /** A worker's. */
  retryIfFailed?(command: () => Promise<unknown>, options: object): Promise<unknown>;
}

/** A queue and a worker are their own backend, which is Redis. */
export const BULLMQ_5: BullMQ = {
  backendOf: (owner) => owner,

  /**
   * Keeps a queue or worker that is closed while it connects from ending the process: BullMQ 5 emits an error when nobody
   * listens any more.
   *
   * And makes a closing worker pause between retries. BullMQ 5 repeats a command that the closed connection rejects without a
   * pause and without end, so the event loop would get no turn.
   */
  patch(owner) {
    const worker = internalsOf(owner);
    for (const connection of [worker.connection, worker.blockingConnection]) {
      if (connection) listenForErrors(connection);
    }
    if (!worker.retryIfFailed) return;
    const retry = worker.retryIfFailed.bind(worker);
    const pausing = async (command: () => Promise<unknown>) => {
      try {
        return await command();
      } catch (error) {
        if (worker.closing) await delay(RETRY_MS, undefined, { ref: false });
        throw error;
      }
    };
    worker.retryIfFailed = (command, options) => retry(() => pausing(command), options);
  },

  /** The jobs of a paused queue wait in a list of their own. */
  idsIn: (queue, state, { start, end }) =>
    queue.getRanges(state === 'waiting' ? [state, 'paused' as JobState] : [state], start, end),

  async disconnect(owner) {
    const { blockingConnection, connection } = internalsOf(owner);
    await Promise.all([blockingConnection?.disconnect(), connection.disconnect()]);
  },
};

function listenForErrors(connection: Connection): void {
  const remove = connection.removeAllListeners.bind(connection);
  connection.removeAllListeners = (...events) => {
    remove(...events);
    connection.on('error', () => {});
    return connection;
  };
}

function internalsOf(owner: Owner): Internals {
  return owner as unknown as Internals;
}
