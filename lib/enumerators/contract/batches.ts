import type { Cursor } from '../../cursor.js';
import type { Enumerator } from './enumerator.js';
import { isAt, isThrottled, type Next, type Page } from './page.js';
import type { Bounds, PageReader, Source } from './source.js';

/** The items of a source in arrays of `size`; the last array may be shorter. A batch's cursor is its last item's. */
export function batchesOf<Item, C extends Cursor>(source: Source<Item, C>, size: number): Source<Item[], C> {
  return new Batches(source, size);
}

/** The items of one page from `start` to before `end`. */
interface PageRange<Item, C extends Cursor> {
  readonly page: Page<Item, C>;
  readonly start: number;
  readonly end: number;
}

class Batches<Item, C extends Cursor> implements Source<Item[], C> {
  readonly size?: Source<Item[], C>['size'];
  readonly count?: Source<Item[], C>['count'];
  readonly fraction?: Source<Item[], C>['fraction'];
  /** The items of each batch: its handler may change the array. */
  readonly #ranges = new WeakMap<readonly Item[], readonly PageRange<Item, C>[]>();

  constructor(
    private readonly source: Source<Item, C>,
    private readonly batchSize: number,
  ) {
    const { size, count } = source;
    const batches = (items: number | undefined) => (items === undefined ? undefined : Math.ceil(items / batchSize));
    if (size) this.size = async (options) => batches(await size.call(source, options));
    if (source.fraction) this.fraction = source.fraction.bind(source);
    if (count) this.count = async (cursor) => batches(await count.call(source, cursor));
  }

  read(bounds: Bounds<C>): PageReader<Item[], C> {
    const reader = this.source.read({ ...bounds, finished: undefined, batchSize: undefined });
    let ranges: PageRange<Item, C>[] = [];
    let rest: PageRange<Item, C> | undefined;

    const next = async (): Promise<Next<Item[], C>> => {
      const size = bounds.batchSize?.() ?? this.batchSize;
      for (let missing = size - lengthOf(ranges); missing > 0; ) {
        const range = rest ?? (await pageRangeOf(reader));
        if (!range) break;
        if ('retryInMs' in range) return range;
        const end = Math.min(range.end, range.start + missing);
        if (end > range.start) ranges.push({ ...range, end });
        rest = end < range.end ? { ...range, start: end } : undefined;
        missing -= end - range.start;
      }
      if (ranges.length === 0) return undefined;
      const [batch, cursor] = this.#batch(ranges);
      const { page, end } = ranges.at(-1) as PageRange<Item, C>;
      ranges = [];
      return { items: [batch], cursorAt: () => cursor, isAt: (_, other) => isAt(page, end - 1, other) };
    };

    return { ahead: true, batchSize: this.batchSize, next, close: () => reader.close() };
  }

  async halve(batch: Item[]): ReturnType<NonNullable<Enumerator<Item[], C>['halve']>> {
    const ranges = this.#ranges.get(batch);
    const length = lengthOf(ranges ?? []);
    if (!ranges || length < 2) return undefined;
    const middle = Math.ceil(length / 2);
    return [this.#batch(cut(ranges, 0, middle)), this.#batch(cut(ranges, middle, length))];
  }

  #batch(ranges: readonly PageRange<Item, C>[]): readonly [Item[], C] {
    const batch = ranges.flatMap(({ page, start, end }) => page.items.slice(start, end));
    const { page, end } = ranges.at(-1) as PageRange<Item, C>;
    this.#ranges.set(batch, ranges);
    return [batch, page.cursorAt(end - 1)];
  }
}

async function pageRangeOf<Item, C extends Cursor>(reader: PageReader<Item, C>) {
  const next = await reader.next();
  return next && !isThrottled(next) ? { page: next, start: 0, end: next.items.length } : next;
}

/** The items from `from` to before `to`. */
function cut<Item, C extends Cursor>(
  ranges: readonly PageRange<Item, C>[],
  from: number,
  to: number,
): readonly PageRange<Item, C>[] {
  let position = 0;
  return ranges.flatMap((range) => {
    const offset = position - range.start;
    position += range.end - range.start;
    const start = Math.max(range.start, from - offset);
    const end = Math.min(range.end, to - offset);
    return start < end ? [{ ...range, start, end }] : [];
  });
}

function lengthOf(ranges: readonly PageRange<unknown, Cursor>[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
