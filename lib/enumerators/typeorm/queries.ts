import type { Cursor } from '../../cursor.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import {
  type Bounds,
  cursorOf,
  type Enumerator,
  type KeyBounds,
  type KeyedRows,
  type KeysetQuery,
  type KeyValues,
  keysetPages,
  keyValues,
  type PageReader,
  type Part,
  readPages,
  type Source,
} from '../contract/index.js';
import { type ExactKey, exactKey } from './check.js';
import { checkCursor, checkValues } from './key.js';
import type { ExactPart, KeyPart } from './key.part.js';
import { writable } from './queries.batch.js';
import { TypeOrmKeys } from './queries.keys.js';
import { mainOf, type Query } from './query.js';
import { sizeOf } from './size.js';
import { serverVersion } from './version.js';

/** Reads the last key of each batch, and no row. */
export class TypeOrmQueries<Entity> implements Source<Query<Entity>> {
  readonly name: string;
  readonly columns: number;
  /** One batch a page. */
  readonly pageSize = 1;
  #exact: Promise<ExactKey> | undefined;
  #orders: KeysetQuery<Query<Entity>>['orders'];

  /** @param query Closed, so that what is added to a batch of it only narrows that batch. */
  constructor(
    private readonly query: Query<Entity>,
    private readonly key: readonly KeyPart[],
    private readonly batchSize: number,
    source = 'typeorm.queries',
  ) {
    this.name = `${source} of ${mainOf(query).metadata.name} by (${key.map(({ name }) => name).join(', ')})`;
    this.columns = key.length;
  }

  check(cursor: Cursor): void {
    checkCursor(this.key, cursor, this.name);
  }

  read(bounds: Bounds): PageReader<Query<Entity>> {
    this.check(bounds.after);
    this.check(bounds.until);
    const { name, columns, pageSize, batchSize } = this;
    const fetch = (between: KeyBounds) => this.#batch(between, bounds.batchSize?.() ?? batchSize);
    const orders = () => this.#orders;
    const query: KeysetQuery<Query<Entity>> = {
      name,
      columns,
      pageSize,
      get orders() {
        return orders();
      },
      fetch,
    };
    return { ...readPages(keysetPages(query, bounds)), batchSize };
  }

  async size(options?: { readonly exact: boolean }): Promise<number | undefined> {
    const records = await sizeOf(this.query, options);
    return records === undefined ? undefined : Math.ceil(records / this.batchSize);
  }

  async partSize({ after, until }: Part, options?: { readonly exact: boolean }): Promise<number | undefined> {
    const bounds: KeyBounds = { after: this.#values(after), until: this.#values(until) };
    const records = await sizeOf((await this.#known(bounds)).within(bounds), options);
    return records === undefined ? undefined : Math.ceil(records / this.batchSize);
  }

  async #batch(bounds: KeyBounds, size: number): Promise<KeyedRows<Query<Entity>>> {
    const keys = await this.#known(bounds);
    const last = await keys.last(bounds, size);
    return last ? { rows: [batchOf(keys, { ...bounds, until: last })], keys: [last] } : { rows: [], keys: [] };
  }

  /** Cuts in the middle of the rows that the batch has now. */
  async halve(
    _batch: Query<Entity>,
    before: Cursor,
    cursor: Cursor,
  ): ReturnType<NonNullable<Enumerator<Query<Entity>>['halve']>> {
    const bounds: KeyBounds = { after: this.#values(before), until: this.#values(cursor) };
    const keys = await this.#known(bounds);
    const records = await keys.count(bounds);
    const middle = records > 1 ? await keys.last(bounds, Math.ceil(records / 2)) : undefined;
    if (!middle) return undefined;
    return [
      [batchOf(keys, { ...bounds, until: middle }), cursorOf(middle)],
      [batchOf(keys, { ...bounds, after: middle }), cursor],
    ];
  }

  #values(cursor: Cursor): KeyValues | null {
    this.check(cursor);
    return keyValues(cursor, this);
  }

  /** The key's columns, once the table is known. */
  async exactParts(): Promise<readonly ExactPart[]> {
    this.#exact ??= exactKey(this.query, { key: this.key, name: this.name });
    const { parts, table } = await this.#exact;
    if (table?.session) checkWindows(table.session.version, this.name);
    return parts;
  }

  async #known({ after, until }: KeyBounds): Promise<TypeOrmKeys<Entity>> {
    const parts = await this.exactParts();
    this.#orders = parts;
    for (const values of [after, until]) checkValues(parts, values, this.name);
    return new TypeOrmKeys(this.query, parts, this.name);
  }
}

function batchOf<Entity>(keys: TypeOrmKeys<Entity>, bounds: KeyBounds): Query<Entity> {
  return writable(keys.within(bounds));
}

function checkWindows(version: string, name: string): void {
  const { isMariaDb, number } = serverVersion(version);
  if (number >= (isMariaDb ? 10.02 : 8)) return;
  throw new InvalidEnumeratorError(
    `${name}: the server is ${version}, and only MariaDB from 10.2 and MySQL from 8.0 have the window functions that find ` +
      'keys without loading rows. Use typeorm.batches of the whole query',
  );
}
