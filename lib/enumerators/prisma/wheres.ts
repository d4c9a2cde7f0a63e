import type { Cursor } from '../../cursor.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import {
  type Bounds,
  cutsOf,
  type Enumerator,
  evenSizes,
  type KeyBounds,
  type KeyedRows,
  type KeysetQuery,
  keysetPages,
  type Page,
  type PageReader,
  type Part,
  readPages,
  type Source,
} from '../contract/index.js';
import type { Where } from './compare.js';
import { sizeOfPart } from './counts.js';
import type { ExactKeys } from './exact.keys.js';
import { PrismaKeyset } from './keyset.js';
import { ordersOf } from './order.js';
import type { PrismaQuery } from './query.js';
import { RangeCutter } from './ranges.js';
import type { CheckedKey, Reading } from './reading.js';

type Cut = (between: KeyBounds, size: number) => Promise<KeyedRows<Where>>;

/** Batches as a `where` each, which matches exactly the rows of the batch. No row is loaded. */
export class PrismaWheres implements Source<Where> {
  readonly #reading: Reading;
  readonly #batchSize: number;

  constructor(reading: Reading, batchSize: number) {
    this.#reading = reading;
    this.#batchSize = batchSize;
  }

  read(bounds: Bounds): PageReader<Where> {
    const batchSize = this.#batchSize;
    return { ...readPages(this.#batches(bounds, () => bounds.batchSize?.() ?? batchSize)), batchSize };
  }

  async size(options?: { readonly exact: boolean }): Promise<number | undefined> {
    return this.#batchesOf(await this.#reading.query.size(options));
  }

  async partSize(part: Part, options?: { readonly exact: boolean }): Promise<number | undefined> {
    return this.#batchesOf(await sizeOfPart(this.#reading, part, options));
  }

  async #batchesOf(rows: number | undefined): Promise<number | undefined> {
    const { exact } = await this.#reading.checked();
    return rows === undefined ? undefined : Math.ceil(rows / sizeOf(this.#batchSize, exact));
  }

  /** The cursors that cut the rows into at most `count` parts. */
  async cuts(count: number): Promise<readonly Cursor[]> {
    const { exact } = await this.#reading.checked();
    return cutsOf(this, evenSizes(await this.#rows([]), count), exact?.most);
  }

  async halve(where: Where, before: Cursor, cursor: Cursor): ReturnType<NonNullable<Enumerator<Where>['halve']>> {
    const rows = await this.#rows([where]);
    if (rows < 2) return undefined;
    const first = await this.#first({ after: before, until: cursor }, Math.ceil(rows / 2));
    if (!first) return undefined;
    const second = await this.#first({ after: first[1], until: cursor }, rows);
    return second && [first, [second[0], cursor]];
  }

  async #rows(wheres: readonly Where[]): Promise<number> {
    const { query, extended } = this.#reading;
    const counted = await query.count(wheres);
    return extended ? Math.max(counted, await extended.keys.count(wheres)) : counted;
  }

  async #first(bounds: Bounds, size: number): Promise<readonly [Where, Cursor] | undefined> {
    for await (const page of this.#batches(bounds, () => size)) return [page.items[0] as Where, page.cursorAt(0)];
    return undefined;
  }

  /** One batch a page: only the next batch's key is read ahead. */
  async *#batches(bounds: Bounds, size: () => number): AsyncGenerator<Page<Where>, void, void> {
    const { query, columns } = this.#reading;
    const checked = await this.#reading.checked();
    const cut = this.#cutter(checked);
    const fetch: KeysetQuery<Where>['fetch'] = (between) => cut(between, sizeOf(size(), checked.exact));
    yield* keysetPages({ name: query.name, columns, pageSize: 1, orders: ordersOf(checked.key), fetch }, bounds);
  }

  /** Cuts by the client without extensions, which sees every row. If it sees none, the extended client cuts. */
  #cutter(checked: CheckedKey): Cut {
    const { query, extended } = this.#reading;
    const own = cutterBy(query, checked);
    if (!extended) return own;
    const plain = cutterBy(extended.keys, checked);
    let sees = false;
    let alone = false;
    return async (between, size) => {
      if (alone) return own(between, size);
      const cut = await plain(between, size);
      if (cut.keys.length > 0) sees = true;
      if (cut.keys.length > 0 || (await own(between, 1)).keys.length === 0) return cut;
      if (!sees) alone = true;
      return sees ? this.#cutAgain(plain, between, size) : own(between, size);
    };
  }

  /** A row that was inserted between the two queries is found now. */
  async #cutAgain(cut: Cut, between: KeyBounds, size: number): Promise<KeyedRows<Where>> {
    const again = await cut(between, size);
    if (again.keys.length > 0) return again;
    throw new InvalidEnumeratorError(
      `${this.#reading.query.name}: the extended client gives rows that the client without extensions does not see, so ` +
        'they cannot be cut into batches. Does an extension set row-level security, or rewrite the "where"?',
    );
  }
}

function cutterBy(query: PrismaQuery, { key, exact }: CheckedKey): Cut {
  if (!exact) {
    const ranges = new RangeCutter(query, key);
    return (between, size) => ranges.cut(between, size);
  }
  // Prisma cannot select some rows of a millisecond: the batch lists the identities of its rows.
  const keyset = new PrismaKeyset(query, key, exact);
  return async (between, size) => {
    const { rows, keys } = await keyset.fetch(between, size);
    if (rows.length === 0) return { rows: [], keys: [] };
    return { rows: [query.where([exact.where(rows.map((row) => exact.identify(row)))])], keys: keys.slice(-1) };
  };
}

/** The most rows of a batch. If they are listed one by one, one statement limits their number. */
function sizeOf(batchSize: number, exact: ExactKeys | undefined): number {
  return Math.min(batchSize, exact?.most ?? batchSize);
}
