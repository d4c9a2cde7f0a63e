import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ProgressTracker } from '../../lib/checkpoint/progress.js';
import { type At, type EnumeratorLike, readerOf } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { AT_THE_BEGINNING, itemLoop } from '../support/loop.js';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;
const build = new EnumeratorBuilder();

const PAGES = 8;
const ROWS = 5;

/** Pages of rows. It counts those that are still in memory. */
class Pages {
  readonly #refs: WeakRef<object>[] = [];

  /** The next `ROWS` rows after the key `after`. */
  readonly fetch = async (after: number | null): Promise<{ id: number }[]> => {
    const start = (after ?? -1) + 1;
    if (start >= PAGES * ROWS) return [];
    const rows = Array.from({ length: ROWS }, (_, index) => ({ id: start + index }));
    this.#refs.push(new WeakRef(rows[0] as object));
    return rows;
  };

  get inMemory(): number {
    collectGarbage();
    return this.#refs.filter((ref) => ref.deref() !== undefined).length;
  }
}

const SOURCES: Readonly<Record<string, (pages: Pages) => EnumeratorLike<unknown>>> = {
  keyset: ({ fetch }) => build.keyset({ cursor: null, pageSize: ROWS, fetch, key: ({ id }) => id }),
  pages: ({ fetch }) =>
    build.pages({
      cursor: null,
      fetch: async (token: number | null) => {
        const items = await fetch(token);
        return { items, next: items.at(-1)?.id ?? null };
      },
    }),
  nested: (pages) =>
    build.nested([(at: At) => build.array(['shop'], at), () => SOURCES.keyset?.(pages) as EnumeratorLike<unknown>], {
      cursor: null,
    }),
  take: (pages) => build.take(SOURCES.keyset?.(pages) as EnumeratorLike<unknown>, PAGES * ROWS),
};

describe('memory of a run', () => {
  it.each(Object.keys(SOURCES))(
    'a run over %s holds at most two pages in memory: the current one and the one read ahead',
    async (name) => {
      const pages = new Pages();
      const interruption = new InterruptionRequest();
      const inMemory: number[] = [];
      let item = 0;
      await itemLoop({
        reader: readerOf((SOURCES[name] as (typeof SOURCES)[string])(pages), { finished: 0 }),
        handle: async () => {
          await new Promise((resolve) => setImmediate(resolve)); // the next page is read ahead
          if (item++ % ROWS === 0) inMemory.push(pages.inMemory);
        },
        progress: new ProgressTracker(AT_THE_BEGINNING),
        interruption,
      }).run();
      expect(inMemory).toHaveLength(PAGES);
      expect(Math.max(...inMemory)).toBe(2);
    },
  );
});
