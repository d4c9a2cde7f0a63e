import type { BullMQ, Owner } from './bullmq.js';

interface Connecting {
  waitUntilReady(): Promise<void>;
  readyPromise?: Promise<void>;
}

/** A connection to PostgreSQL. */
interface Listening {
  readonly isClosing: unknown;
  getListenClient(): Promise<unknown>;
  readonly pool: {
    listeners(event: 'acquire'): readonly unknown[];
    on(event: 'acquire', listener: (client: PoolClient) => void): unknown;
  };
}

interface PoolClient {
  listeners(event: 'error'): readonly unknown[];
  on(event: 'error', listener: () => void): unknown;
}

/** Queues and workers have a backend, which is Redis or PostgreSQL. */
export const BULLMQ_6: BullMQ = {
  backendOf: (owner) => backendOf(owner),

  /**
   * Lets a backend connect again that was created while PostgreSQL was away. BullMQ keeps the first attempt for the whole
   * life of the process, also when it failed, and every later command would fail with it.
   *
   * And keeps a backend from listening once it is closing: a worker that is closed while it starts would open a connection that
   * nobody closes, and that keeps the process alive.
   *
   * And lets the process survive a server that goes away while BullMQ uses a client of its pool: such a client has no listener
   * for errors, and its query fails anyway.
   */
  patch(owner) {
    const backend: object = backendOf(owner);
    const connection: unknown = 'connection' in backend ? backend.connection : undefined;
    if (isListening(connection)) {
      listenUntilClosed(connection);
      if (!connection.pool.listeners('acquire').includes(surviveCut)) connection.pool.on('acquire', surviveCut);
    }
    for (const part of [connection, backend]) {
      if (isConnecting(connection) && isConnecting(part)) connectAgain(part);
    }
  },

  idsIn: (queue, state, { start, end }) => queue.getRanges([state], start, end),

  disconnect: (owner) => backendOf(owner).disconnect(),
};

function backendOf(owner: Owner): { disconnect(): Promise<void> } {
  return owner.getBackend();
}

function isConnecting(part: unknown): part is Connecting {
  return typeof part === 'object' && part !== null && 'waitUntilReady' in part && 'readyPromise' in part;
}

function connectAgain(part: Connecting): void {
  const ready = part.waitUntilReady.bind(part);
  part.waitUntilReady = async () => {
    try {
      await ready();
    } catch (error) {
      part.readyPromise = undefined;
      throw error;
    }
  };
}

function surviveCut(client: PoolClient): void {
  if (!client.listeners('error').includes(ignore)) client.on('error', ignore);
}

function ignore(): void {}

function isListening(part: unknown): part is Listening {
  return typeof part === 'object' && part !== null && 'getListenClient' in part && 'isClosing' in part;
}

function listenUntilClosed(connection: Listening): void {
  const listen = connection.getListenClient.bind(connection);
  // BullMQ reports no error of this message.
  connection.getListenClient = async () => {
    if (connection.isClosing) throw new Error('Connection is closed.');
    return listen();
  };
}
