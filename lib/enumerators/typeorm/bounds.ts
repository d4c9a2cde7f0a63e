import type { KeyBounds, KeyValues } from '../contract/index.js';
import { compare } from './compare.js';
import { databaseOf } from './database.js';
import type { ExactPart, KeyPart } from './key.part.js';
import type { Query } from './query.js';
import { dataSourceOf } from './typeorm.workarounds.js';

/** Narrows a query to the rows within the bounds. `prefix` begins the names of its parameters; see {@link freeName}. */
export function bound<Q extends Query<unknown>>(
  query: Q,
  { key, bounds, prefix }: { key: readonly ExactPart[]; bounds: KeyBounds; prefix: string },
): Q {
  const rowValues = databaseOf(dataSourceOf(query))?.rowValues === true;
  for (const side of ['after', 'until'] as const) {
    const values = bounds[side];
    if (values === null) continue;
    const parameters = values.map((_, index) => `${prefix}_${side}_${index}`);
    restrict(query, compare(key, { side, values, parameters, rowValues }));
    query.setParameters(Object.fromEntries(parameters.map((name, index) => [name, values[index]])));
    const endless = parameters.filter((_, index) => key[index]?.sortsWithoutEnd && values[index] !== null);
    query.setParameters(
      Object.fromEntries(endless.map((name) => [`${name}_top`, `${values[parameters.indexOf(name)]}\u0001`])),
    );
  }
  return query;
}

/** Orders a query by a key. */
export function ordered<Q extends Query<unknown>>(query: Q, key: readonly KeyPart[]): Q {
  const database = databaseOf(dataSourceOf(query));
  for (const { sql, descending, nulls } of key) {
    const order = descending ? 'DESC' : 'ASC';
    const usual = database?.nullsAreLeast === descending ? 'last' : 'first';
    if (nulls === undefined || nulls === usual) query.addOrderBy(sql, order);
    else if (database?.dialect === 'postgresql')
      query.addOrderBy(sql, order, nulls === 'first' ? 'NULLS FIRST' : 'NULLS LAST');
    else query.addOrderBy(`${sql} IS NULL`, nulls === 'first' ? 'DESC' : 'ASC').addOrderBy(sql, order);
  }
  return query;
}

/** The same key from its end to its beginning. */
export function reversed(key: readonly ExactPart[]): readonly ExactPart[] {
  return key.map((part) => ({
    ...part,
    descending: !part.descending,
    nulls: part.nulls && (part.nulls === 'first' ? 'last' : 'first'),
  }));
}

/** Narrows a query's whole where. `andWhere` would narrow only the last part of `a OR b`. */
export function restrict<Q extends Query<unknown>>(query: Q, condition: string): Q {
  const { expressionMap } = query;
  const conditions = [expressionMap.extraAppendedAndWhereCondition, `(${condition})`].filter(Boolean);
  expressionMap.extraAppendedAndWhereCondition = conditions.join(' AND ');
  return query;
}

/** A name with which none of the query's parameters begins. */
export function freeName(query: Query<unknown>, name: string): string {
  const isTaken = Object.keys(query.getParameters()).some((parameter) => parameter.startsWith(name));
  return isTaken ? freeName(query, `${name}_`) : name;
}

/** A part of a key's range that is one range of an index. */
export interface IndexRange {
  readonly key: readonly ExactPart[];
  readonly bounds: KeyBounds;
  /** Other conditions that its rows meet. */
  readonly conditions: readonly string[];
  /** The columns that are NULL in all its rows, and then its key. */
  readonly whole: readonly ExactPart[];
}

/** The order of an index range, written so that the database recognizes the order of the index. */
export function orderOf(query: Query<unknown>, { key, whole }: IndexRange): readonly ExactPart[] {
  return databaseOf(dataSourceOf(query))?.nullsAreConstant ? key : whole;
}

/**
 * Cuts the range within the bounds at the NULLs of the key's first column, in order. The database can enter an index at
 * `a IS NOT NULL AND a >= 1` and at `a IS NULL AND b >= 1`. In both the index has the requested order, wherever it keeps
 * its NULLs. At `a >= 1 OR a IS NULL` the database cannot enter it.
 */
export function indexRanges(key: readonly ExactPart[], bounds: KeyBounds): readonly IndexRange[] {
  const [first, ...rest] = key;
  if (!first?.nulls) return [{ key, bounds, conditions: [], whole: key }];
  const plain = { ...first, nulls: undefined };
  const nullsAt = first.nulls === 'first' ? 0 : 1;
  const placeOf = ([value]: KeyValues) => (value === null ? nullsAt : 1 - nullsAt);
  const start = bounds.after ? placeOf(bounds.after) : 0;
  const end = bounds.until ? placeOf(bounds.until) : 1;
  return [0, 1]
    .filter((place) => place >= start && place <= end)
    .flatMap((place) => {
      const after = place === start ? bounds.after : null;
      const until = place === end ? bounds.until : null;
      if (place !== nullsAt) {
        const values = [plain, ...rest];
        return { key: values, bounds: { after, until }, conditions: [`${first.sql} IS NOT NULL`], whole: values };
      }
      return indexRanges(rest, { after: tail(after), until: tail(until) }).map((range) => ({
        ...range,
        conditions: [`${first.sql} IS NULL`, ...range.conditions],
        whole: [plain, ...range.whole],
      }));
    });
}

function tail(values: KeyValues | null): KeyValues | null {
  return values?.slice(1) ?? null;
}
