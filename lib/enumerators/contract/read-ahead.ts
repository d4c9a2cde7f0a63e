import type { Cursor } from '../../cursor.js';
import type { Page, PageReader } from './source.js';

/**
 * Fetches the next page while the items of the last one are handled: at most one page ahead, so two in memory.
 * An error of the page ahead is thrown only when that page is asked for.
 */
export function readAhead<Item, C extends Cursor>(reader: PageReader<Item, C>): PageReader<Item, C> {
  let ahead: Promise<Page<Item, C> | undefined> | undefined;

  const fetch = async () => reader.next();

  return {
    async next() {
      const page = await (ahead ?? fetch());
      ahead = page && fetch();
      ahead?.catch(() => {}); // asked for by the next call; until then nobody listens
      return page;
    },
    async close() {
      await ahead?.catch(() => {});
      await reader.close();
    },
  };
}
