import type { Cursor } from '../cursor.js';
import { describe } from '../describe.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';
import {
  type Bounds,
  type Enumerator,
  type EnumeratorLike,
  isEnumeratorLike,
  isThrottled,
  type PageReader,
  pageSlice,
  type Source,
  SourceEnumerator,
  sourceLike,
  sourceOf,
} from './contract/index.js';

/** The first `count` items of an enumerator, over all runs of the job. The cursor is the same. */
export function takeEnumerator<Item, C extends Cursor>(
  enumerator: EnumeratorLike<Item, C>,
  count: number,
): Enumerator<Item, C> {
  if (!isEnumeratorLike(enumerator)) {
    throw new InvalidEnumeratorError(`take(${describe(enumerator)}): give it an enumerator or an iterable`);
  }
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new InvalidOptionsError(`take: the count is ${describe(count)}; it must be a whole number, 0 or more`);
  }
  const { source, cursor } = sourceOf(enumerator);
  const { fraction, size } = source;
  const changes: Partial<Source<Item, C>> = {
    read: (bounds) => firstOf(source.read(bounds), () => left(source, { bounds, count })),
    ...(fraction && {
      fraction: (cursor) => {
        const [share, taken] = [fraction.call(source, cursor), source.count?.(cursor)];
        return typeof taken === 'number' ? Math.max(share ?? 0, Math.min(1, taken / count)) : undefined;
      },
    }),
    ...(size && {
      size: async (options) => {
        const all = await size.call(source, options);
        return all === undefined ? undefined : Math.min(all, count);
      },
    }),
  };
  return new SourceEnumerator(sourceLike(source, changes), cursor);
}

function firstOf<Item, C extends Cursor>(
  reader: PageReader<Item, C>,
  count: () => Promise<number>,
): PageReader<Item, C> {
  let left: number | undefined;
  return {
    get ahead() {
      return reader.ahead === true && (left ?? 0) > 0;
    },
    get destructiveRead() {
      return reader.destructiveRead === true;
    },
    async next() {
      left ??= await count();
      const next = left > 0 ? await reader.next() : undefined;
      if (!next || isThrottled(next)) return next;
      const page = next.items.length > left ? pageSlice(next, 0, left) : next;
      left -= page.items.length;
      return page;
    },
    close: () => reader.close(),
  };
}

/** How many of the first `count` items are left. A job knows how many it has finished; otherwise the source may know. */
async function left<Item, C extends Cursor>(
  source: Source<Item, C>,
  { bounds: { after, finished }, count }: { bounds: Bounds<C>; count: number },
): Promise<number> {
  const passed = finished ?? (after === null ? 0 : await source.count?.(after));
  if (passed !== undefined) return count - passed;
  throw new InvalidEnumeratorError(
    `take(${count}) cannot know how many items lie up to the cursor ${describe(after)}: this source does not count, ` +
      'and only a job knows how many it has finished',
  );
}
