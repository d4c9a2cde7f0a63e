import type { Cursor } from '../../cursor.js';
import type { Next } from './page.js';
import type { PageReader } from './source.js';

/** What a run reads from. */
export interface RunReader<Item, C extends Cursor = Cursor> extends PageReader<Item, C> {
  /** Whether a page ahead is being read. */
  readonly isReading: boolean;
}

/**
 * Fetches the next page while the items of the last one are handled, where the reader allows it: at most one page ahead,
 * so two in memory. An error of the page ahead is thrown only when that page is asked for.
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

  const follow = (next: Next<Item, C>): Next<Item, C> => {
    if (!next || !reader.ahead || !('items' in next)) return next;
    ahead = read();
    ahead.catch(() => {}); // asked for by the next call; until then nobody listens
    return next;
  };

  return {
    get consuming() {
      return reader.consuming === true;
    },
    get isReading() {
      return isReading;
    },
    next() {
      const next = ahead ?? reader.next();
      ahead = undefined;
      if (!('ahead' in reader)) return next;
      return next instanceof Promise ? next.then(follow) : follow(next);
    },
    close: () => reader.close(),
  };
}
