import type { Cursor } from '../../cursor.js';
import {
  type Bounds,
  type KeysetQuery,
  keysetPages,
  type Page,
  type PageReader,
  readPages,
  type Source,
} from '../contract/index.js';
import type { PrismaValues } from './client.js';
import { ExtendedKeyset } from './extended.js';
import { PrismaKeyset } from './keyset.js';
import { ordersOf } from './order.js';
import type { Reading } from './reading.js';
import { cursorValues } from './value.js';
import { comparable, upTo } from './where.js';

const PAGE_OF_A_MILLISECOND = 1_000;

/** The rows of a `findMany`. */
export class PrismaRecords implements Source<PrismaValues> {
  constructor(
    private readonly reading: Reading,
    private readonly pageSize: number,
  ) {}

  read(bounds: Bounds): PageReader<PrismaValues> {
    return readPages(this.pages(bounds));
  }

  size(options?: { readonly exact: boolean }): Promise<number | undefined> {
    return this.reading.query.size(options);
  }

  async count(cursor: Cursor): Promise<number> {
    if (cursor === null) return 0;
    const { query } = this.reading;
    const { key, exact } = await this.reading.checked();
    const reached = cursorValues(cursor);
    let rows = await query.count([upTo(comparable(key, reached), reached)]);
    for (let after: typeof reached | undefined = reached; exact && after; ) {
      const others = await exact.sameMillisecond(after, null, PAGE_OF_A_MILLISECOND);
      if (others.length > 0) rows -= await query.count([exact.where(others.map(({ identity }) => identity))]);
      after = others.length === PAGE_OF_A_MILLISECOND ? others.at(-1)?.key : undefined;
    }
    return rows;
  }

  private async *pages(bounds: Bounds): AsyncGenerator<Page<PrismaValues>, void, void> {
    const { query, columns, extended } = this.reading;
    const { key, exact } = await this.reading.checked();
    const keyset = extended
      ? new ExtendedKeyset({ query, key, exact, ...extended })
      : new PrismaKeyset(query, key, exact);
    const fetch: KeysetQuery<PrismaValues>['fetch'] = (between, limit) => keyset.fetch(between, limit);
    yield* keysetPages({ name: query.name, columns, pageSize: this.pageSize, orders: ordersOf(key), fetch }, bounds);
  }
}
