import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { dialectOf } from '../../sql.dialect.js';
import { freeName } from './bounds.js';
import { copyOf, type ExpressionMap, mainOf, type Query } from './query.js';

/**
 * A copy of a query whose where is one condition with parameters of its own, soft-deletion and class included: what is
 * added to the copy narrows it, and cannot widen it or change a parameter.
 */
export function closed<Entity>(query: Query<Entity>): Query<Entity> {
  const copy = copyOf(query);
  const parameters = copy.getParameters();
  const own = freeName(copy, 'iteration_where_');
  const condition = conditionOf(copy).replaceAll(PARAMETER, (text, spread = '', name) =>
    Object.hasOwn(parameters, name) ? `:${spread}${own}${name}` : text,
  );
  mapOf(copy).wheres = [];
  copy.expressionMap.extraAppendedAndWhereCondition = condition && `(${condition})`;
  return copy.setParameters(
    Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`${own}${name}`, value])),
  );
}

/**
 * Makes `update()`, `delete()`, `softDelete()` and `restore()` of a query write to exactly the rows that it selects.
 *
 * TypeORM takes over the where as it is, but neither the alias that it names, nor soft-deletion, nor joins. Here the table
 * has its alias in the statement too, and of a query that joins, or has common table expressions, the primary keys are
 * selected.
 */
export function writable<Q extends Query<unknown>>(query: Q): Q {
  const select = query as unknown as Builder;
  const clone = select.clone.bind(select);
  for (const kind of WRITES) {
    select[kind] = (...values) => writeTo(clone()[kind](...values), query, kind);
  }
  select.clone = () => {
    const copy = clone();
    copy.expressionMap.options = [...query.expressionMap.options];
    return writable(copy);
  };
  return query;
}

const WRITES = ['update', 'delete', 'softDelete', 'restore'] as const;
type Write = (typeof WRITES)[number];

/** A TypeORM parameter, as its drivers find it. */
const PARAMETER = /:(\.\.\.)?([A-Za-z0-9_.]+)/g;

/** Stands for the rows' condition until TypeORM has replaced the property names in what the user wrote. */
const ROWS = '/*nestjs-iteration*/';

/** What this file uses of any QueryBuilder; some of it TypeORM shows to subclasses only. */
type Builder = Query<unknown> &
  Record<Write, (...values: unknown[]) => Builder> & {
    clone(): Builder;
    createWhereExpression(): string;
    replacePropertyNamesForTheWholeQuery(sql: string): string;
    getTableName(path: string): string;
    distinct(enabled: boolean): Builder;
    setOption(option: 'disable-global-order'): Builder;
  };

/** What is written to of a query. */
interface WrittenMap extends Omit<ExpressionMap, 'aliases'> {
  aliases: readonly unknown[];
  wheres: readonly unknown[];
  commonTableExpressions: readonly unknown[];
}

function writeTo(write: Builder, select: Query<unknown>, kind: Write): Builder {
  const { name, metadata } = mainOf(select);
  const target = mainOf(write);
  if (target.metadata !== metadata) {
    throw new InvalidEnumeratorError(
      `typeorm.queries: this query selects rows of ${metadata.name}, and ${kind}(${target.metadata.name}) would write to others`,
    );
  }
  const { condition, parameters } = rowsOf(select, kind);
  const map = mapOf(write.setParameters(parameters));
  map.aliases = [map.mainAlias];
  map.wheres = [];
  map.commonTableExpressions = [];
  map.extraAppendedAndWhereCondition = ROWS;

  const tableName = write.getTableName.bind(write);
  const alias = select.escape(name);
  write.getTableName = (path) =>
    kind === 'delete' && isMySql(select)
      ? `${alias} USING ${tableName(path)} AS ${alias}`
      : `${tableName(path)} AS ${alias}`;
  const replaced = write.replacePropertyNamesForTheWholeQuery.bind(write);
  write.replacePropertyNamesForTheWholeQuery = (sql) => replaced(sql).replace(ROWS, () => condition);
  return write;
}

/** SQL for the rows that a query selects, in a statement that has the table under the same alias. */
function rowsOf(select: Query<unknown>, kind: Write): { condition: string; parameters: Record<string, unknown> } {
  const condition = conditionOf(select);
  const isMore = select.expressionMap.joinAttributes.length > 0 || mapOf(select).commonTableExpressions.length > 0;
  // MySQL and MariaDB read the table that they delete from in a derived table only.
  const isReadInside = kind === 'delete' && isMySql(select) && /\bselect\b/i.test(condition);
  if (!isMore && !isReadInside) return { condition, parameters: select.getParameters() };
  const { name, metadata } = mainOf(select);
  const columns = metadata.primaryColumns
    .map(({ databaseName }) => `${select.escape(name)}.${select.escape(databaseName)}`)
    .join(', ');
  const keys = copyOf(select) as unknown as Builder;
  keys.select(columns).orderBy();
  keys.distinct(true).setOption('disable-global-order');
  const list = keys.getQuery(); // which sets the parameters of common table expressions
  return {
    condition: `(${columns}) IN (SELECT * FROM (${list}) AS ${select.escape('iteration_batch')})`,
    parameters: keys.getParameters(),
  };
}

/** The whole where of a query, with the names of columns in place of those of properties. */
function conditionOf(query: Query<unknown>): string {
  const select = query as unknown as Builder;
  return select.replacePropertyNamesForTheWholeQuery(select.createWhereExpression()).replace(/^ WHERE /, '');
}

function mapOf({ expressionMap }: Query<unknown>): WrittenMap {
  return expressionMap as unknown as WrittenMap;
}

function isMySql({ dataSource }: Query<unknown>): boolean {
  const { type } = dataSource.driver.options;
  return dialectOf(type) === 'mysql' || type === 'aurora-mysql';
}
