import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { dialectOf } from '../../sql.dialect.js';
import { freeName } from './bounds.js';
import { mainOf, primaryOf, type Query } from './query.js';
import {
  copyOf,
  dataSourceOf,
  hasCommonTables,
  onWrite,
  replaceWhere,
  type WriteKind,
  whereOf,
  writeTo,
} from './typeorm.workarounds.js';

/**
 * A copy of a query whose where is one condition with parameters of its own, soft-deletion and class included: what is
 * added to the copy narrows it, and cannot widen it or change a parameter.
 */
export function closed<Entity>(query: Query<Entity>): Query<Entity> {
  const copy = copyOf(query);
  const parameters = copy.getParameters();
  const own = freeName(copy, 'iteration_where_');
  const condition = whereOf(copy).replaceAll(PARAMETER, (text, spread = '', name) =>
    Object.hasOwn(parameters, name) ? `:${spread}${own}${name}` : text,
  );
  replaceWhere(copy, condition && `(${condition})`);
  return copy.setParameters(
    Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`${own}${name}`, value])),
  );
}

/** A TypeORM parameter, as its drivers find it. */
const PARAMETER = /:(\.\.\.)?([A-Za-z0-9_.]+)/g;

/**
 * Makes `update()`, `delete()`, `softDelete()` and `restore()` of a query write to exactly the rows that it selects. Of a
 * query that joins, or has common table expressions, the primary keys are selected.
 */
export function writable<Q extends Query<unknown>>(query: Q): Q {
  return onWrite(query, (write, select, kind) => {
    const { name, metadata } = mainOf(select);
    const target = mainOf(write);
    if (target.metadata !== metadata) {
      throw new InvalidEnumeratorError(
        `typeorm.queries: this query selects rows of ${metadata.name}, and ${kind}(${target.metadata.name}) would write to others`,
      );
    }
    const isUsing = kind === 'delete' && isMySql(select);
    return writeTo(write, { alias: select.escape(name), isUsing, ...rowsOf(select, kind) });
  });
}

/** SQL for the rows that a query selects, in a statement that has the table under the same alias. */
function rowsOf(select: Query<unknown>, kind: WriteKind): { condition: string; parameters: Record<string, unknown> } {
  const condition = whereOf(select);
  const isMore = select.expressionMap.joinAttributes.length > 0 || hasCommonTables(select);
  // MySQL and MariaDB read the table that they delete from in a derived table only.
  const isReadInside = kind === 'delete' && isMySql(select) && /\bselect\b/i.test(condition);
  if (!isMore && !isReadInside) return { condition, parameters: select.getParameters() };
  const columns = primaryOf(select);
  const keys = copyOf(select).select(columns).orderBy().distinct(true).setOption('disable-global-order');
  const list = keys.getQuery(); // which sets the parameters of common table expressions
  return {
    condition: `(${columns}) IN (SELECT * FROM (${list}) AS ${select.escape('iteration_batch')})`,
    parameters: keys.getParameters(),
  };
}

function isMySql(query: Query<unknown>): boolean {
  const { type } = dataSourceOf(query).driver.options;
  return dialectOf(type) === 'mysql' || type === 'aurora-mysql';
}
