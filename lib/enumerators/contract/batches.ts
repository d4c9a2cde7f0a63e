import type { Cursor } from '../../cursor.js';
import type { Enumerator } from './enumerator.js';
import { isAt, isThrottled, type Next, type Page } from './page.js';
import type { Bounds, PageReader, Source } from './source.js';

/** The items of a source in arrays of `size`, the last one shorter; a batch's cursor is its last item's. */
export function batchesOf<Item, C extends Cursor>(source: Source<Item, C>, size: number): Source<Item[], C> {
  return new Batches(source, size);
}

/** Items of one page. */
interface Stretch<Item, C extends Cursor> {
  readonly page: Page<Item, C>;
  readonly start: number;
  readonly end: number;
}

class Batches<Item, C extends Cursor> implements Source<Item[], C> {
  readonly size?: Source<Item[], C>['size'];
  readonly count?: Source<Item[], C>['count'];
  readonly fraction?: Source<Item[], C>['fraction'];
  /** What each batch was made of: its handler may change the array. */
  readonly #stretches = new WeakMap<readonly Item[], readonly Stretch<Item, C>[]>();

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
    const reader = this.source.read({ ...bounds, finished: undefined });
    let stretches: Stretch<Item, C>[] = [];
    let rest: Stretch<Item, C> | undefined;

    const next = async (): Promise<Next<Item[], C>> => {
      for (let missing = this.batchSize - lengthOf(stretches); missing > 0; ) {
        const stretch = rest ?? (await stretchOf(reader));
        if (!stretch) break;
        if ('retryInMs' in stretch) return stretch;
        const end = Math.min(stretch.end, stretch.start + missing);
        if (end > stretch.start) stretches.push({ ...stretch, end });
        rest = end < stretch.end ? { ...stretch, start: end } : undefined;
        missing -= end - stretch.start;
      }
      if (stretches.length === 0) return undefined;
      const [batch, cursor] = this.#batch(stretches);
      const { page, end } = stretches.at(-1) as Stretch<Item, C>;
      stretches = [];
      return { items: [batch], cursorAt: () => cursor, isAt: (_, other) => isAt(page, end - 1, other) };
    };

    return { ahead: true, next, close: () => reader.close() };
  }

  async halve(batch: Item[]): ReturnType<NonNullable<Enumerator<Item[], C>['halve']>> {
    const stretches = this.#stretches.get(batch);
    const length = lengthOf(stretches ?? []);
    if (!stretches || length < 2) return undefined;
    const middle = Math.ceil(length / 2);
    return [this.#batch(cut(stretches, 0, middle)), this.#batch(cut(stretches, middle, length))];
  }

  #batch(stretches: readonly Stretch<Item, C>[]): readonly [Item[], C] {
    const batch = stretches.flatMap(({ page, start, end }) => page.items.slice(start, end));
    const { page, end } = stretches.at(-1) as Stretch<Item, C>;
    this.#stretches.set(batch, stretches);
    return [batch, page.cursorAt(end - 1)];
  }
}

async function stretchOf<Item, C extends Cursor>(reader: PageReader<Item, C>) {
  const next = await reader.next();
  return next && !isThrottled(next) ? { page: next, start: 0, end: next.items.length } : next;
}

/** The items from `from` to before `to`. */
function cut<Item, C extends Cursor>(
  stretches: readonly Stretch<Item, C>[],
  from: number,
  to: number,
): readonly Stretch<Item, C>[] {
  let position = 0;
  return stretches.flatMap((stretch) => {
    const offset = position - stretch.start;
    position += stretch.end - stretch.start;
    const start = Math.max(stretch.start, from - offset);
    const end = Math.min(stretch.end, to - offset);
    return start < end ? [{ ...stretch, start, end }] : [];
  });
}

function lengthOf(stretches: readonly Stretch<unknown, Cursor>[]): number {
  return stretches.reduce((sum, { start, end }) => sum + end - start, 0);
}
