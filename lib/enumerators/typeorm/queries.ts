import type { Cursor } from '../../cursor.js';
import {
  type Bounds,
  cursorOf,
  type Enumerator,
  type KeyedRows,
  type KeysetQuery,
  type KeyValues,
  keysetPages,
  keyValues,
  type PageReader,
  readPages,
  type Source,
} from '../contract/index.js';
import type { KeyBounds } from './bounds.js';
import { checkTable } from './check.js';
import { checkCursor, type KeyPart } from './key.js';
import { writable } from './queries.batch.js';
import { TypeOrmKeys } from './queries.keys.js';
import { mainOf, type Query } from './query.js';
import { sizeOf } from './size.js';

/** What `queries` reads: of each batch the last key, and no row. */
export class TypeOrmQueries<Entity> implements Source<Query<Entity>>, KeysetQuery<Query<Entity>> {
  readonly name: string;
  readonly columns: number;
  /** One batch a page. */
  readonly pageSize = 1;
  readonly #keys: TypeOrmKeys<Entity>;
  #checked: Promise<unknown> | undefined;

  /** @param query Closed, so that what is added to a batch of it only narrows that batch. */
  constructor(
    private readonly query: Query<Entity>,
    private readonly key: readonly KeyPart[],
    private readonly batchSize: number,
  ) {
    this.name = `typeorm.queries of ${mainOf(query).metadata.name} by (${key.map(({ name }) => name).join(', ')})`;
    this.columns = key.length;
    this.#keys = new TypeOrmKeys(query, key, this.name);
  }

  check(cursor: Cursor): void {
    checkCursor(this.key, cursor, this.name);
  }

  read(bounds: Bounds): PageReader<Query<Entity>> {
    this.check(bounds.after);
    this.check(bounds.until);
    return readPages(keysetPages(this, bounds));
  }

  async size(): Promise<number | undefined> {
    const records = await sizeOf(this.query);
    return records === undefined ? undefined : Math.ceil(records / this.batchSize);
  }

  async fetch(bounds: KeyBounds): Promise<KeyedRows<Query<Entity>>> {
    this.#checked ??= checkTable(this.query, { key: this.key, name: this.name });
    await this.#checked;
    const last = await this.#keys.last(bounds, this.batchSize);
    return last ? { rows: [this.#batch({ ...bounds, until: last })], keys: [last] } : { rows: [], keys: [] };
  }

  /** In the middle of the rows that the batch has now. */
  async halve(
    _batch: Query<Entity>,
    before: Cursor,
    cursor: Cursor,
  ): ReturnType<NonNullable<Enumerator<Query<Entity>>['halve']>> {
    const bounds: KeyBounds = { after: this.#values(before), until: this.#values(cursor) };
    const records = await this.#keys.count(bounds);
    const middle = records > 1 ? await this.#keys.last(bounds, Math.ceil(records / 2)) : undefined;
    if (!middle) return undefined;
    return [
      [this.#batch({ ...bounds, until: middle }), cursorOf(middle)],
      [this.#batch({ ...bounds, after: middle }), cursor],
    ];
  }

  #values(cursor: Cursor): KeyValues | null {
    this.check(cursor);
    return keyValues(cursor, this);
  }

  #batch(bounds: KeyBounds): Query<Entity> {
    return writable(this.#keys.within(bounds));
  }
}
