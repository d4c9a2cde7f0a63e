import { Injectable } from '@nestjs/common';
import type { Cursor } from '../cursor.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import {
  type Bounds,
  type Enumerator,
  type KeyedRow,
  type KeysetOptions,
  type KeysetQuery,
  type KeyValues,
  keysetPages,
  type PageReader,
  readAhead,
  readPages,
  resolveKeysetOptions,
  type Source,
  SourceEnumerator,
} from './contract/index.js';
import { checkCursor, type KeyPart, keyOf, keyParts } from './typeorm.key.js';
import { type KeyBounds, TypeOrmPages } from './typeorm.pages.js';
import { copyOf, mainOf, type Query, queryOf } from './typeorm.query.js';

/** A SelectQueryBuilder of TypeORM. */
export interface TypeOrmSelect<Entity> {
  getMany(): Promise<Entity[]>;
  getRawAndEntities(): Promise<{ entities: Entity[]; raw: unknown[] }>;
}

/** A Repository of TypeORM. */
export interface TypeOrmRepository<Entity> {
  find(): Promise<Entity[]>;
  createQueryBuilder(alias?: string): TypeOrmSelect<Entity>;
}

/** Enumerators over the rows of a TypeORM entity. */
@Injectable()
export class TypeOrmEnumeratorBuilder {
  /**
   * The entities of a query, one page a query, in the order of a key; the cursor is the key's value, or the array of its
   * values when it has several columns.
   *
   * Exact at the database's full precision: the cursor is the database's value, not the entity's. The query is copied,
   * not changed; its where, selects, joins, soft-deletion and parameters are kept. Rows that are inserted or deleted
   * meanwhile change nothing for the others. Databases other than PostgreSQL: keys of integers and text, no joins.
   *
   * @throws InvalidEnumeratorError for a query that a key cannot follow: with an order, a limit or a grouping of its own.
   * @throws InvalidOptionsError for an unknown option, and a key column that is unknown or nullable.
   * @throws InvalidCursorError for a cursor of another key.
   */
  records<Entity>(
    query: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
    options: KeysetOptions,
  ): Enumerator<Entity> {
    const source = 'typeorm.records';
    const { key, pageSize } = resolveKeysetOptions(options, source);
    const select = queryOf<Entity>(query, source);
    const records = new TypeOrmRecords(select, keyParts(select, key, source), pageSize);
    records.check(options.cursor);
    return new SourceEnumerator(records, options.cursor);
  }
}

/** What `records` reads. */
class TypeOrmRecords<Entity> implements Source<Entity>, KeysetQuery<Entity> {
  readonly name: string;
  readonly columns: number;
  readonly #query: Query<Entity>;
  readonly #key: readonly KeyPart[];
  readonly #pages: TypeOrmPages<Entity>;

  constructor(
    query: Query<Entity>,
    key: readonly KeyPart[],
    readonly pageSize: number,
  ) {
    this.name = `typeorm.records of ${mainOf(query).metadata.name} by (${key.map(({ name }) => name).join(', ')})`;
    this.columns = key.length;
    this.#query = query;
    this.#key = key;
    this.#pages = new TypeOrmPages(query, key);
  }

  check(cursor: Cursor): void {
    checkCursor(this.#key, cursor, this.name);
  }

  read(bounds: Bounds): PageReader<Entity> {
    this.check(bounds.after);
    this.check(bounds.until);
    return readAhead(readPages(keysetPages(this, bounds)));
  }

  size(): Promise<number> {
    return copyOf(this.#query).getCount();
  }

  async fetch(bounds: KeyBounds, limit: number): Promise<readonly KeyedRow<Entity>[]> {
    const { raw, entities } = await this.#pages.fetch(bounds, limit);
    const keys = withoutRepeats(raw.map((row) => keyOf(this.#key, row, this.name)));
    if (keys.length === entities.length) {
      return entities.map((row, index) => ({ row, key: keys[index] as KeyValues }));
    }
    if (limit === 1) {
      throw new InvalidEnumeratorError(
        `${this.name}: TypeORM makes ${entities.length} entities of the row ${JSON.stringify(keys[0])}. ` +
          'Select a column of the entity that is never NULL',
      );
    }
    // TypeORM makes one entity of rows whose primary keys look alike to it, such as timestamps of one millisecond.
    const half = Math.ceil(limit / 2);
    const first = await this.fetch(bounds, half);
    if (first.length < half) return first;
    const after = (first.at(-1) as KeyedRow<Entity>).key;
    return [...first, ...(await this.fetch({ ...bounds, after }, limit - half))];
  }
}

/** A joined row repeats its entity, and the order keeps the repeats together. */
function withoutRepeats(keys: readonly KeyValues[]): readonly KeyValues[] {
  return keys.filter((key, index) => key.some((value, column) => value !== keys[index - 1]?.[column]));
}
