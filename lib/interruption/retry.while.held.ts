import { setTimeout as delay } from 'node:timers/promises';
import { type Lock, LockLostError } from './lock.js';

const RETRY_MS = 250;

/**
 * Repeats an operation of the backend until it succeeds, as long as the job's lock is held.
 *
 * @param canRetry Whether a further try may help after this error; otherwise the error is thrown.
 * @throws LockLostError
 */
export async function retryWhileHeld<T>(
  lock: Lock,
  operation: () => Promise<T>,
  canRetry: (error: unknown) => boolean,
): Promise<T> {
  for (;;) {
    lock.assertHeld();
    try {
      return await operation();
    } catch (error) {
      if (error instanceof LockLostError || !canRetry(error)) throw error;
    }
    await delay(RETRY_MS);
  }
}
