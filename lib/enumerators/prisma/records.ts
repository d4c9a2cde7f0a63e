import type { Cursor } from '../../cursor.js';
import {
  type Bounds,
  type KeysetQuery,
  keysetPages,
  type Page,
  type PageReader,
  type Part,
  readPages,
  type Source,
} from '../contract/index.js';
import type { PrismaValues } from './client.js';
import { countUpTo, sizeOfPart } from './counts.js';
import { ExtendedKeyset } from './extended.js';
import { PrismaKeyset } from './keyset.js';
import { ordersOf } from './order.js';
import type { Reading } from './reading.js';

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

  count(cursor: Cursor): Promise<number> {
    return countUpTo(this.reading, cursor);
  }

  partSize(part: Part, options?: { readonly exact: boolean }): Promise<number | undefined> {
    return sizeOfPart(this.reading, part, options);
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
