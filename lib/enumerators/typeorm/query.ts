import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { checkAliases } from './aliases.js';
import { databaseOf } from './database.js';
import type { Column, Executor, Metadata, Query } from './select.js';
import { copyOf, dataSourceOf, givenRunner, loadsRelationsApart } from './typeorm.workarounds.js';

export type { Alias, Column, Executor, ExpressionMap, Metadata, Query, Runner } from './select.js';

/**
 * A copy of the user's query: of a Repository or a SelectQueryBuilder.
 *
 * @throws InvalidEnumeratorError for anything else, and for a query that does not work with a key.
 */
export function queryOf<Entity>(given: unknown, source: string): Query<Entity> {
  const query = selectOf<Entity>(given, source);
  const { mainAlias, aliases } = query.expressionMap;
  if (!mainAlias?.hasMetadata || aliases.filter(({ type }) => type === 'from').length > 1) {
    throw new InvalidEnumeratorError(
      `${source}: the query does not select from one entity. ` +
        "Begin it with repository.createQueryBuilder('alias'), or with .select('alias').from(Entity, 'alias')",
    );
  }
  for (const [name, isSet, instead] of CONFLICTS) {
    if (!isSet(query)) continue;
    throw new InvalidEnumeratorError(
      `${source}: the query of ${mainAlias.metadata.name} has ${name}, which does not work with a key. ${instead}`,
    );
  }
  checkAliases(query, source);
  return copyOf(query).cache(false); // pages of one cacheId would all be the first
}

/** A Repository's query with the relations that its `find()` joins. Anything else is returned unchanged. */
export function withEagerRelations(given: unknown): unknown {
  if (!has(given, 'find') || !has(given, 'createQueryBuilder')) return given;
  const query = given.createQueryBuilder() as FindingQuery;
  const hasEager = Boolean(query.expressionMap?.mainAlias?.metadata.eagerRelations?.length);
  return hasEager ? query.setFindOptions({}) : given;
}

interface FindingQuery {
  readonly expressionMap?: {
    readonly mainAlias?: { readonly metadata: { readonly eagerRelations?: readonly unknown[] } };
  };
  setFindOptions(options: object): unknown;
}

/** The connection for a query's statements: the one that the user set, or any. */
export function executorOf(query: Query<unknown>): Executor {
  return givenRunner(query) ?? dataSourceOf(query);
}

/** The entity's alias and metadata. */
export function mainOf(query: Query<unknown>): { readonly name: string; readonly metadata: Metadata } {
  return query.expressionMap.mainAlias as { name: string; metadata: Metadata };
}

/** The columns of the entity's primary key, as a list in SQL. */
export function primaryOf(query: Query<unknown>): string {
  const { name, metadata } = mainOf(query);
  return metadata.primaryColumns
    .map(({ databaseName }) => `${query.escape(name)}.${query.escape(databaseName)}`)
    .join(', ');
}

/** Whether the query selects the whole entity, not some of its columns. */
export function selectsWhole(query: Query<unknown>): boolean {
  const { name } = mainOf(query);
  return query.expressionMap.selects.some(({ selection }) => selection === name);
}

/** The columns of the entity that the query selects one by one. */
export function selectedColumns(query: Query<unknown>): readonly Column[] {
  const { name, metadata } = mainOf(query);
  return metadata.columns.filter((column) =>
    query.expressionMap.selects.some(
      ({ selection, aliasName }) => selection === `${name}.${column.propertyPath}` && !aliasName,
    ),
  );
}

const USE_KEY = "Order by the option key instead: { key: [{ column: 'createdAt', order: 'desc' }] }";
const USE_TAKE = 'Pages are the pageSize; for the first n rows wrap the enumerator: take(enumerator, n)';
const USE_CURSOR = 'Remove it: a job starts at its cursor';
const USE_WHERE = 'Put what it selects into a where, such as whereExists, or into a view entity';

const CONFLICTS: readonly (readonly [name: string, isSet: (query: Query<unknown>) => boolean, instead: string])[] = [
  ['orderBy', ({ expressionMap: { orderBys } }) => Object.keys(orderBys).length > 0, USE_KEY],
  ['take', ({ expressionMap: { take } }) => Boolean(take), USE_TAKE],
  ['limit', ({ expressionMap: { limit } }) => Boolean(limit), USE_TAKE],
  ['skip', ({ expressionMap: { skip } }) => Boolean(skip), USE_CURSOR],
  ['offset', ({ expressionMap: { offset } }) => Boolean(offset), USE_CURSOR],
  ['groupBy', ({ expressionMap: { groupBys } }) => groupBys.length > 0, USE_WHERE],
  ['having', ({ expressionMap: { havings } }) => havings.length > 0, USE_WHERE],
  ['distinct', ({ expressionMap: { selectDistinct } }) => selectDistinct, 'Remove it: entities are distinct'],
  ['distinctOn', ({ expressionMap: { selectDistinctOn } }) => selectDistinctOn.length > 0, USE_WHERE],
  ['a lock', ({ expressionMap: { lockMode } }) => Boolean(lockMode), 'Lock the row where it is handled'],
  [
    'joins',
    (query) => query.expressionMap.joinAttributes.length > 0 && !databaseOf(dataSourceOf(query)),
    'They work on PostgreSQL, MariaDB and SQLite only: load the relations where the row is handled',
  ],
  [
    "relations with relationLoadStrategy 'query'",
    loadsRelationsApart,
    'Join them with leftJoinAndSelect, or load them where the row is handled',
  ],
  [
    'only raw selections',
    (query) => !selectsWhole(query) && selectedColumns(query).length === 0,
    "Select the entity's alias or some of its columns by property path",
  ],
];

function selectOf<Entity>(given: unknown, source: string): Query<Entity> {
  if (has(given, 'getRawAndEntities') && 'expressionMap' in given) return given as unknown as Query<Entity>;
  if (has(given, 'find') && has(given, 'createQueryBuilder')) {
    const query: unknown = given.createQueryBuilder();
    if (has(query, 'getRawAndEntities')) return query as unknown as Query<Entity>;
  }
  throw new InvalidEnumeratorError(
    `${source} was given ${describe(given)}. Give it a Repository, or a SelectQueryBuilder that was not executed: ` +
      "repository.createQueryBuilder('user').where(…)",
  );
}

function has<Name extends string>(value: unknown, name: Name): value is Record<Name, () => unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[name] === 'function';
}
