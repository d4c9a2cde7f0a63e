import type { Cursor } from '../../cursor.js';
import type { Next } from './page.js';
import type { PageReader } from './source.js';

/** The reader of a run. */
export interface RunReader<Item, C extends Cursor = Cursor> extends PageReader<Item, C> {
  /** Whether the next page is being read ahead. */
  readonly isReading: boolean;
}

/**
 * Fetches the next page while the items of the current one are handled, where the reader allows it. At most one page is read
 * ahead, so two are in memory. Its error is thrown only when that page is requested.
 */
export function readAhead<Item, C extends Cursor>(reader: PageReader<Item, C>): RunReader<Item, C> {
  let ahead: Promise<Next<Item, C>> | undefined;
  let isReading = false;

  const read = async () => {
    isReading = true;
    try {
      return await reader.next();
    } finally {
      isReading = false;
    }
  };

  const startNext = (next: Next<Item, C>): Next<Item, C> => {
    if (!next || !reader.ahead || !('items' in next)) return next;
    ahead = read();
    ahead.catch(() => {}); // the next call rejects with it
    return next;
  };

  return {
    ...(reader.batchSize !== undefined && { batchSize: reader.batchSize }),
    get destructiveRead() {
      return reader.destructiveRead === true;
    },
    get isReading() {
      return isReading;
    },
    next() {
      const next = ahead ?? reader.next();
      ahead = undefined;
      if (!('ahead' in reader)) return next;
      return next instanceof Promise ? next.then(startNext) : startNext(next);
    },
    close: () => reader.close(),
  };
}
