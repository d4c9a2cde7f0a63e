import type { BullMQ, Owner } from './bullmq.js';

interface Connecting {
  waitUntilReady(): Promise<void>;
  readyPromise?: Promise<void>;
}

/** Queues and workers have a backend, which is Redis or PostgreSQL. */
export const BULLMQ_6: BullMQ = {
  backendOf: (owner) => backendOf(owner),

  /**
   * Lets a backend connect again that was created while PostgreSQL was away. BullMQ keeps the first attempt for the whole
   * life of the process, also when it failed, and every later command would fail with it.
   */
  patch(owner) {
    const backend: unknown = backendOf(owner);
    if (!isConnecting(backend) || !('connection' in backend) || !isConnecting(backend.connection)) return;
    for (const part of [backend.connection, backend]) {
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
  },

  disconnect: (owner) => backendOf(owner).disconnect(),
};

function backendOf(owner: Owner): { disconnect(): Promise<void> } {
  return owner.getBackend();
}

function isConnecting(part: unknown): part is Connecting {
  return typeof part === 'object' && part !== null && 'waitUntilReady' in part && 'readyPromise' in part;
}
