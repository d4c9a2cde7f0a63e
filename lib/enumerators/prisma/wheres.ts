import type { Cursor } from '../../cursor.js';
import {
  type Bounds,
  type Enumerator,
  type KeyedRows,
  type KeysetQuery,
  keysetPages,
  type Page,
  type PageReader,
  readPages,
  type Source,
} from '../contract/index.js';
import type { Where } from './compare.js';
import { PrismaKeyset } from './keyset.js';
import { RangeCutter } from './ranges.js';
import type { Reading } from './reading.js';

type Between = Parameters<KeysetQuery<Where>['fetch']>[0];
type Cut = (between: Between, size: number) => Promise<KeyedRows<Where>>;

/** Batches of rows that are not loaded, each a `where` of exactly these. */
export class PrismaWheres implements Source<Where> {
  readonly #reading: Reading;
  readonly #batchSize: number;

  constructor(reading: Reading, batchSize: number) {
    this.#reading = reading;
    this.#batchSize = Math.min(batchSize, reading.exact?.most ?? batchSize);
  }

  read(bounds: Bounds): PageReader<Where> {
    return readPages(this.#batches(bounds, this.#batchSize));
  }

  async size(): Promise<number | undefined> {
    const rows = await this.#reading.query.size();
    return rows === undefined ? undefined : Math.ceil(rows / this.#batchSize);
  }

  async halve(where: Where, before: Cursor, cursor: Cursor): ReturnType<NonNullable<Enumerator<Where>['halve']>> {
    const rows = await this.#reading.query.count([where]);
    if (rows < 2) return undefined;
    const first = await this.#first({ after: before, until: cursor }, Math.ceil(rows / 2));
    if (!first) return undefined;
    const second = await this.#first({ after: first[1], until: cursor }, rows);
    return second && [first, [second[0], cursor]];
  }

  async #first(bounds: Bounds, size: number): Promise<readonly [Where, Cursor] | undefined> {
    for await (const page of this.#batches(bounds, size)) return [page.items[0] as Where, page.cursorAt(0)];
    return undefined;
  }

  /** One batch a page: what is read ahead is the next batch's key. */
  async *#batches(bounds: Bounds, size: number): AsyncGenerator<Page<Where>, void, void> {
    const { query, columns } = this.#reading;
    const cut = await this.#cutter();
    const fetch: KeysetQuery<Where>['fetch'] = (between) => cut(between, size);
    yield* keysetPages({ name: query.name, columns, pageSize: 1, fetch }, bounds);
  }

  async #cutter(): Promise<Cut> {
    const { query, exact } = this.#reading;
    const key = await this.#reading.key();
    if (!exact) {
      const ranges = new RangeCutter(query, key);
      return (between, size) => ranges.cut(between, size);
    }
    // Prisma cannot say which rows of a millisecond are meant: the batch is told by what identifies its rows.
    const keyset = new PrismaKeyset(query, key, exact);
    return async (between, size) => {
      const { rows, keys } = await keyset.fetch(between, size);
      if (rows.length === 0) return { rows: [], keys: [] };
      return { rows: [query.where([exact.where(rows.map((row) => exact.identify(row)))])], keys: keys.slice(-1) };
    };
  }
}
