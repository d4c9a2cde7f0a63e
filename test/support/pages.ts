import type { Cursor } from '../../lib/cursor.js';
import { type Enumerator, isThrottled, type Page, sourceOf } from '../../lib/enumerators/contract/index.js';

/** The pages of an enumerator as a run reads them, up to and including `until`. A throttled enumerator throws. */
export function readerOf<Item>(enumerator: Enumerator<Item>, until: Cursor = null) {
  const reader = sourceOf(enumerator).read({ until });
  return {
    async next(): Promise<Page<Item> | undefined> {
      const next = await reader.next();
      if (next && isThrottled(next)) throw new Error(`throttled for ${next.retryInMs} ms`);
      return next;
    },
    async close(): Promise<void> {
      await reader.close();
    },
  };
}
