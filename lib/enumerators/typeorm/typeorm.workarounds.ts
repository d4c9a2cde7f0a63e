import type { DataSource, Executor, ExpressionMap, Query } from './select.js';

// Everything that this library reads of TypeORM's query builders although it is private, and each method that it replaces.
// Made for TypeORM 1.1. test/enumerators/typeorm.workarounds.test.ts fails when TypeORM no longer needs one of them.

/** Members of TypeORM's query builders that are protected or private. */
type Internals = Omit<Query<unknown>, 'expressionMap'> & {
  readonly expressionMap: InternalMap;
  readonly queryRunner?: Executor;
  readonly dataSource?: DataSource;
  /** TypeORM 0.3. */
  readonly connection: DataSource;
  readonly relationMetadatas?: readonly unknown[];
  createWhereExpression(): string;
  replacePropertyNamesForTheWholeQuery(sql: string): string;
  getTableName(path: string): string;
} & Record<WriteKind, (...values: unknown[]) => Query<unknown>>;

interface InternalMap extends Omit<ExpressionMap, 'aliases'> {
  aliases: readonly unknown[];
  wheres: readonly unknown[];
  commonTableExpressions: readonly unknown[];
}

const WRITES = ['update', 'delete', 'softDelete', 'restore'] as const;
export type WriteKind = (typeof WRITES)[number];

/** A copy with the options of `setOption`, which `clone()` leaves out. */
export function copyOf<Q extends Query<unknown>>(query: Q): Q {
  const copy = query.clone();
  copy.expressionMap.options = [...query.expressionMap.options];
  return copy;
}

/** TypeORM 0.3 and 1 have it under different names. */
export function dataSourceOf(query: Query<unknown>): DataSource {
  const { dataSource, connection } = internalsOf(query);
  return dataSource ?? connection;
}

/** The connection that the user gave the query, which may be within a transaction. */
export function givenRunner(query: Query<unknown>): Executor | undefined {
  return internalsOf(query).queryRunner;
}

/** Whether its relations are loaded by queries of their own, as `relationLoadStrategy: 'query'` asks for. */
export function loadsRelationsApart(query: Query<unknown>): boolean {
  return Boolean(internalsOf(query).relationMetadatas?.length);
}

export function hasCommonTables(query: Query<unknown>): boolean {
  return internalsOf(query).expressionMap.commonTableExpressions.length > 0;
}

/** The whole where of a query, soft-deletion and class included, with the names of columns in place of those of properties. */
export function whereOf(query: Query<unknown>): string {
  const internals = internalsOf(query);
  return internals.replacePropertyNamesForTheWholeQuery(internals.createWhereExpression()).replace(/^ WHERE /, '');
}

/** Puts one condition in place of all that `where`, `andWhere` and `orWhere` added. */
export function replaceWhere(query: Query<unknown>, condition: string): void {
  const { expressionMap } = internalsOf(query);
  expressionMap.wheres = [];
  expressionMap.extraAppendedAndWhereCondition = condition;
}

/** Passes what `update()`, `delete()`, `softDelete()` and `restore()` of a query and its copies make through `change`. */
export function onWrite<Q extends Query<unknown>>(
  query: Q,
  change: (write: Query<unknown>, select: Query<unknown>, kind: WriteKind) => Query<unknown>,
): Q {
  const select = internalsOf(query);
  const clone = select.clone.bind(select);
  for (const kind of WRITES) {
    select[kind] = (...values) => change(internalsOf(clone())[kind](...values), query, kind);
  }
  select.clone = () => {
    const copy = clone();
    copy.expressionMap.options = [...query.expressionMap.options];
    return onWrite(copy, change);
  };
  return query;
}

interface WrittenRows {
  /** The name that the condition has for the table. */
  readonly alias: string;
  readonly condition: string;
  readonly parameters: Record<string, unknown>;
  /** Whether the statement names the alias before the table, as `DELETE a USING table AS a` does. */
  readonly isUsing: boolean;
}

/**
 * Makes a statement write to the rows of a condition, and only to these. TypeORM takes over a select's where, but neither
 * the alias that it names, nor soft-deletion, nor joins; here the statement has the table under that alias.
 */
export function writeTo(write: Query<unknown>, { alias, condition, parameters, isUsing }: WrittenRows): Query<unknown> {
  const internals = internalsOf(write.setParameters(parameters));
  const { expressionMap } = internals;
  expressionMap.aliases = [expressionMap.mainAlias];
  expressionMap.commonTableExpressions = [];
  replaceWhere(write, ROWS);

  const tableName = internals.getTableName.bind(write);
  internals.getTableName = (path) =>
    isUsing ? `${alias} USING ${tableName(path)} AS ${alias}` : `${tableName(path)} AS ${alias}`;
  const replaced = internals.replacePropertyNamesForTheWholeQuery.bind(write);
  internals.replacePropertyNamesForTheWholeQuery = (sql) => replaced(sql).replace(ROWS, () => condition);
  return write;
}

/** Stands for the rows' condition until TypeORM has replaced the property names in what the user wrote. */
const ROWS = '/*nestjs-iteration*/';

function internalsOf(query: Query<unknown>): Internals {
  return query as unknown as Internals;
}
