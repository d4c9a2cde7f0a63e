import type { KeyBounds, KeyValues } from '../contract/index.js';
import { bound, freeName, type IndexRange, indexRanges, ordered, orderOf, restrict } from './bounds.js';
import { databaseOf } from './database.js';
import { keyOf } from './key.js';
import type { ExactPart } from './key.part.js';
import { mainOf, primaryOf, type Query, selectedColumns, selectsWhole } from './query.js';
import { copyOf, dataSourceOf } from './typeorm.workarounds.js';

/** Entities, and the keys of their rows. There are as many of both, unless TypeORM made one entity of several rows. */
export interface Found<Entity> {
  readonly entities: readonly Entity[];
  readonly keys: readonly KeyValues[];
}

/** Pages of a query in the order of a key. A page is one statement, or two where NULLs begin or end. */
export class TypeOrmPages<Entity> {
  readonly #query: Query<Entity>;
  /** The query with the additional selections. */
  readonly #page: Query<Entity>;
  readonly #key: readonly ExactPart[];
  readonly #hidden: string | undefined;
  readonly #prefix: string;
  readonly #isJoined: boolean;

  constructor(
    query: Query<Entity>,
    key: readonly ExactPart[],
    private readonly name: string,
  ) {
    this.#query = query;
    this.#key = key;
    this.#hidden = keptBy(query);
    this.#prefix = freeName(query, 'iteration_key');
    this.#isJoined = query.expressionMap.joinAttributes.length > 0;
    this.#page = copyOf(query);
    for (const { selection, alias } of key) if (selection !== undefined) this.#page.addSelect(selection, alias);
    if (this.#hidden !== undefined) this.#page.addSelect(`${mainOf(query).name}.${this.#hidden}`);
  }

  /** The entities of at most `limit` keys. */
  async fetch(bounds: KeyBounds, limit: number): Promise<Found<Entity>> {
    let page: Found<Entity> = { entities: [], keys: [] };
    for (const range of indexRanges(this.#key, bounds)) {
      const found = await this.#fetch(range, limit - page.keys.length);
      page =
        page.keys.length === 0
          ? found
          : { entities: [...page.entities, ...found.entities], keys: [...page.keys, ...found.keys] };
      if (page.keys.length >= limit) break;
    }
    return page;
  }

  async #fetch(range: IndexRange, limit: number): Promise<Found<Entity>> {
    const page = ordered(copyOf(this.#page), orderOf(this.#page, range));
    const { raw, entities } = await (this.#isJoined
      ? this.#withKeys(page, range, limit)
      : this.#within(page, range).limit(limit)
    ).getRawAndEntities();
    if (this.#hidden !== undefined) for (const entity of entities) forget(entity, this.#hidden.split('.'));
    const keys = raw.map((row) => keyOf(this.#key, row, this.name));
    return { entities, keys: this.#isJoined ? withoutRepeats(keys) : keys };
  }

  #within(query: Query<Entity>, { key, bounds, conditions }: IndexRange): Query<Entity> {
    for (const condition of conditions) restrict(query, condition);
    return bound(query, { key, bounds, prefix: this.#prefix });
  }

  /** Joins multiply rows, so a limit could cut an entity in two. A list of primary keys is limited instead. */
  #withKeys(page: Query<Entity>, range: IndexRange, limit: number): Query<Entity> {
    const primary = primaryOf(page);
    const keys = ordered(copyOf(this.#query), orderOf(page, range))
      .select(primary)
      .groupBy(this.#key.map(({ sql }) => sql).join(', '))
      .limit(limit);
    const list = this.#within(keys, range).getQuery();
    const isUnderstood = databaseOf(dataSourceOf(page))?.limitsWithinIn === true;
    return restrict(
      page,
      `(${primary}) IN (${isUnderstood ? list : `SELECT * FROM (${list}) AS ${page.escape('iteration_keys')}`})`,
    ).setParameters(keys.getParameters());
  }
}

/** A joined row repeats its entity, and the order keeps the repeats together. */
function withoutRepeats(keys: readonly KeyValues[]): readonly KeyValues[] {
  return keys.filter((key, index) => !isSameKey(key, keys[index - 1]));
}

/** Whether two rows have one key. */
export function isSameKey(one: KeyValues, other: KeyValues | undefined): boolean {
  return one.every((value, column) => value === other?.[column]);
}

/**
 * TypeORM leaves out an entity if all its selected columns are NULL. This is a primary key column to select so that every
 * row is kept; undefined if no row can be left out.
 */
function keptBy(query: Query<unknown>): string | undefined {
  const isNeverNull = selectedColumns(query).some(
    ({ isNullable, isVirtual, isVirtualProperty }) => !isNullable && !isVirtual && !isVirtualProperty,
  );
  if (selectsWhole(query) || isNeverNull) return undefined;
  return mainOf(query).metadata.primaryColumns.find(({ isVirtual }) => !isVirtual)?.propertyPath;
}

/** Removes the column that was selected only for {@link keptBy}, and embedded objects that have only this column. */
function forget(entity: unknown, [property, ...path]: readonly string[]): void {
  const holder = entity as Record<string, unknown>;
  if (property === undefined || !(property in holder)) return;
  if (path.length > 0) {
    forget(holder[property], path);
    if (Object.keys(holder[property] as object).length > 0) return;
  }
  delete holder[property];
}
