interface Connecting {
  waitUntilReady(): Promise<void>;
  readyPromise?: Promise<void>;
}

/**
 * Lets a backend connect that was created while PostgreSQL was away: BullMQ keeps the first attempt for the whole life
 * of the process, also when it failed, and every command after it would fail with it.
 */
export function forgetFailedConnection(backend: unknown): void {
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
}

function isConnecting(part: unknown): part is Connecting {
  return typeof part === 'object' && part !== null && 'waitUntilReady' in part && 'readyPromise' in part;
}
