import type { KeyValues } from './contract/index.js';
import { compare, type KeyPart } from './typeorm.key.js';
import { copyOf, isPostgres, mainOf, type Query, selectedColumns, selectsWhole } from './typeorm.query.js';

/** Both ends of a page, as key values. */
export interface KeyBounds {
  readonly after: KeyValues | null;
  readonly until: KeyValues | null;
}

/** Pages of a query in the order of a key, each in one statement. */
export class TypeOrmPages<Entity> {
  readonly #query: Query<Entity>;
  /** The query with its order, and all that is selected besides. */
  readonly #page: Query<Entity>;
  readonly #key: readonly KeyPart[];
  readonly #hidden: string | undefined;
  readonly #parameter: string;

  constructor(query: Query<Entity>, key: readonly KeyPart[]) {
    this.#query = query;
    this.#key = key;
    this.#hidden = keptBy(query);
    this.#parameter = freeName(query, 'iteration_key');
    this.#page = this.#ordered(copyOf(query));
    for (const { selection, alias } of key) if (selection !== undefined) this.#page.addSelect(selection, alias);
    if (this.#hidden !== undefined) this.#page.addSelect(`${mainOf(query).name}.${this.#hidden}`);
  }

  /** At most `limit` entities, and their raw rows: the same number, unless the query joins. */
  async fetch(bounds: KeyBounds, limit: number): Promise<{ entities: readonly Entity[]; raw: readonly unknown[] }> {
    const page = copyOf(this.#page);
    if (this.#query.expressionMap.joinAttributes.length === 0) this.#bound(page, bounds).limit(limit);
    else this.#boundJoined(page, bounds, limit);
    const result = await page.getRawAndEntities();
    if (this.#hidden !== undefined) for (const entity of result.entities) forget(entity, this.#hidden.split('.'));
    return result;
  }

  /** Joins multiply rows, so a limit would cut an entity in two: it limits a list of keys instead. */
  #boundJoined(page: Query<Entity>, bounds: KeyBounds, limit: number): void {
    const columns = this.#key.map(({ sql }) => sql).join(', ');
    const keys = this.#ordered(copyOf(this.#query)).select(columns).groupBy(columns).limit(limit);
    this.#bound(keys, bounds);
    restrict(page, `(${columns}) IN (${keys.getQuery()})`).setParameters(keys.getParameters());
  }

  #bound(query: Query<Entity>, bounds: KeyBounds): Query<Entity> {
    const rowValues = isPostgres(query.dataSource);
    for (const side of ['after', 'until'] as const) {
      const values = bounds[side];
      if (values === null) continue;
      const parameters = values.map((_, index) => `${this.#parameter}_${side}_${index}`);
      restrict(query, compare(this.#key, { parameters, side, rowValues }));
      query.setParameters(Object.fromEntries(parameters.map((name, index) => [name, values[index]])));
    }
    return query;
  }

  #ordered(query: Query<Entity>): Query<Entity> {
    for (const { sql, descending } of this.#key) query.addOrderBy(sql, descending ? 'DESC' : 'ASC');
    return query;
  }
}

/** Narrows the whole of a query's where. `andWhere` would narrow only the last part of `a OR b`. */
function restrict<Q extends Query<unknown>>(query: Q, condition: string): Q {
  const { expressionMap } = query;
  const conditions = [expressionMap.extraAppendedAndWhereCondition, `(${condition})`].filter(Boolean);
  expressionMap.extraAppendedAndWhereCondition = conditions.join(' AND ');
  return query;
}

/**
 * TypeORM leaves out an entity when all that was selected of it is NULL. This is a primary key column to select so that
 * every row is kept; undefined when no row can be left out.
 */
function keptBy(query: Query<unknown>): string | undefined {
  const isNeverNull = selectedColumns(query).some(
    ({ isNullable, isVirtual, isVirtualProperty }) => !isNullable && !isVirtual && !isVirtualProperty,
  );
  if (selectsWhole(query) || isNeverNull) return undefined;
  return mainOf(query).metadata.primaryColumns.find(({ isVirtual }) => !isVirtual)?.propertyPath;
}

/** Removes what was selected only for {@link keptBy}, and the embedded objects that it alone has filled. */
function forget(entity: unknown, [property, ...path]: readonly string[]): void {
  const holder = entity as Record<string, unknown>;
  if (property === undefined || !(property in holder)) return;
  if (path.length > 0) {
    forget(holder[property], path);
    if (Object.keys(holder[property] as object).length > 0) return;
  }
  delete holder[property];
}

function freeName(query: Query<unknown>, name: string): string {
  const isTaken = Object.keys(query.getParameters()).some((parameter) => parameter.startsWith(name));
  return isTaken ? freeName(query, `${name}_`) : name;
}
