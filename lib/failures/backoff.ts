import { toError } from '../enumerators/contract/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';
import { LONGEST_TIMER_MS } from '../rules.js';

const MAX_BACKOFF_MS = 5_000;

/** The wait after the `tries`-th try of an item in place, in milliseconds. A function that fails gives no wait. */
export function backoffOf(
  { backoffMs }: ResolvedRunOptions['itemFailure'],
  tries: number,
  log: { warn(message: string): void },
): number {
  if (typeof backoffMs === 'number') return Math.min(MAX_BACKOFF_MS, backoffMs * 2 ** (tries - 1));
  try {
    const returned: unknown = backoffMs(tries);
    if (typeof returned === 'number' && returned >= 0) return Math.min(LONGEST_TIMER_MS, returned);
    log.warn(
      `itemFailure.backoffMs returned ${String(returned)}, which is not a number of milliseconds; the item is retried at once`,
    );
  } catch (error) {
    log.warn(`itemFailure.backoffMs failed (${toError(error, 'backoffMs').message}); the item is retried at once`);
  }
  return 0;
}
