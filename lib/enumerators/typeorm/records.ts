import type { Cursor } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import {
  type Bounds,
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
import { bound, freeName } from './bounds.js';
import { type ExactKey, exactKey } from './check.js';
import { checkCursor, checkValues } from './key.js';
import type { KeyPart } from './key.part.js';
import { isSameKey, TypeOrmPages } from './pages.js';
import { mainOf, type Query } from './query.js';
import { sizeOf } from './size.js';
import { copyOf } from './typeorm.workarounds.js';

/** The entities of a query, in the order of a key. */
export class TypeOrmRecords<Entity> implements Source<Entity>, KeysetQuery<Entity> {
  readonly name: string;
  readonly columns: number;
  readonly pageSize: number;
  readonly #query: Query<Entity>;
  readonly #key: readonly KeyPart[];
  #exact: Promise<ExactKey> | undefined;
  #orders: KeysetQuery<Entity>['orders'];
  #pages: TypeOrmPages<Entity> | undefined;

  constructor(
    query: Query<Entity>,
    { key, pageSize, source }: { key: readonly KeyPart[]; pageSize: number; source: string },
  ) {
    this.name = `${source} of ${mainOf(query).metadata.name} by (${key.map(({ name }) => name).join(', ')})`;
    this.columns = key.length;
    this.pageSize = pageSize;
    this.#query = query;
    this.#key = key;
  }

  get orders(): KeysetQuery<Entity>['orders'] {
    return this.#orders;
  }

  check(cursor: Cursor): void {
    checkCursor(this.#key, cursor, this.name);
  }

  read(bounds: Bounds): PageReader<Entity> {
    this.check(bounds.after);
    this.check(bounds.until);
    return readPages(keysetPages(this, bounds));
  }

  size(options?: { readonly exact: boolean }): Promise<number | undefined> {
    return sizeOf(this.#query, options);
  }

  async count(cursor: Cursor): Promise<number> {
    return (await this.#between({ after: null, until: cursor })).getCount();
  }

  async partSize(part: Part, options?: { readonly exact: boolean }): Promise<number | undefined> {
    return sizeOf(await this.#between(part), options);
  }

  async #between({ after, until }: Part): Promise<Query<Entity>> {
    for (const cursor of [after, until]) this.check(cursor);
    const query = copyOf(this.#query);
    const bounds = { after: keyValues(after, this), until: keyValues(until, this) };
    const { parts } = await this.#known(bounds);
    return bound(query, { key: parts, bounds, prefix: freeName(query, 'iteration_key') });
  }

  async fetch(bounds: KeyBounds, limit: number): Promise<KeyedRows<Entity>> {
    const { isUnique } = await this.#known(bounds);
    if (isUnique) return this.#rows(bounds, limit);
    // One more row shows whether the page ends between two rows with the same key.
    const { rows, keys } = await this.#rows(bounds, limit + 1, (keys) => this.#checkUnique(keys));
    return { rows: rows.slice(0, limit), keys: keys.slice(0, limit) };
  }

  /** The key, once the table is known. */
  async #known({ after, until }: KeyBounds): Promise<ExactKey> {
    this.#exact ??= exactKey(this.#query, { key: this.#key, name: this.name });
    const key = await this.#exact;
    this.#orders = key.parts;
    this.#pages ??= new TypeOrmPages(this.#query, key.parts, this.name);
    for (const values of [after, until]) checkValues(key.parts, values, this.name);
    return key;
  }

  async #rows(
    bounds: KeyBounds,
    limit: number,
    check?: (keys: readonly KeyValues[]) => void,
  ): Promise<KeyedRows<Entity>> {
    const { entities, keys } = await (this.#pages as TypeOrmPages<Entity>).fetch(bounds, limit);
    check?.(keys);
    if (keys.length === entities.length) return { rows: entities, keys };
    if (limit === 1) {
      throw new InvalidEnumeratorError(
        `${this.name}: TypeORM makes ${entities.length} entities of the row ${describe(keys[0])}. ` +
          'Select a column of the entity that is never NULL',
      );
    }
    // TypeORM makes one entity of rows whose primary keys look alike to it, such as timestamps of one millisecond.
    const half = Math.ceil(limit / 2);
    const first = await this.#rows(bounds, half, check);
    if (first.rows.length < half) return first;
    const after = first.keys.at(-1) as KeyValues;
    const second = await this.#rows({ ...bounds, after }, limit - half, check);
    return { rows: [...first.rows, ...second.rows], keys: [...first.keys, ...second.keys] };
  }

  #checkUnique(keys: readonly KeyValues[]): void {
    const twin = keys.find((key, index) => isSameKey(key, keys[index - 1]));
    if (!twin) return;
    throw new InvalidEnumeratorError(
      `${this.name}: two rows have the same key ${describe(twin)}, so TypeORM makes one entity of them. ` +
        'The primary key of the entity must be unique: mark all columns that identify a row with @PrimaryColumn()',
    );
  }
}
