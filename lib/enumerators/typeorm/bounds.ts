import type { KeyValues } from '../contract/index.js';
import { compare } from './compare.js';
import { databaseOf } from './database.js';
import type { ExactPart, KeyPart } from './key.part.js';
import type { Query } from './query.js';

/** Both ends of a stretch of a key. */
export interface KeyBounds {
  readonly after: KeyValues | null;
  readonly until: KeyValues | null;
}

/** Narrows a query to the rows within the bounds. `prefix` begins the names of its parameters; see {@link freeName}. */
export function bound<Q extends Query<unknown>>(
  query: Q,
  { key, bounds, prefix }: { key: readonly ExactPart[]; bounds: KeyBounds; prefix: string },
): Q {
  const rowValues = databaseOf(query.dataSource)?.rowValues === true;
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
  const database = databaseOf(query.dataSource);
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

/** Narrows the whole of a query's where. `andWhere` would narrow only the last part of `a OR b`. */
export function restrict<Q extends Query<unknown>>(query: Q, condition: string): Q {
  const { expressionMap } = query;
  const conditions = [expressionMap.extraAppendedAndWhereCondition, `(${condition})`].filter(Boolean);
  expressionMap.extraAppendedAndWhereCondition = conditions.join(' AND ');
  return query;
}

/** A name that begins none of the query's parameters. */
export function freeName(query: Query<unknown>, name: string): string {
  const isTaken = Object.keys(query.getParameters()).some((parameter) => parameter.startsWith(name));
  return isTaken ? freeName(query, `${name}_`) : name;
}

/** A stretch of a key, each within one range of an index. */
export interface Stretch {
  readonly key: readonly ExactPart[];
  readonly bounds: KeyBounds;
  /** What else its rows have in common. */
  readonly conditions: readonly string[];
  /** The columns that are all NULL in it, and then its key. */
  readonly whole: readonly ExactPart[];
}

/** The order of a stretch, in the words by which the database sees that it is the order of an index. */
export function orderOf({ dataSource }: Query<unknown>, { key, whole }: Stretch): readonly ExactPart[] {
  return databaseOf(dataSource)?.nullsAreConstant ? key : whole;
}

/**
 * Cuts what is within the bounds at the NULLs of the key's first column, in order. An index is entered at
 * `a IS NOT NULL AND a >= 1` and at `a IS NULL AND b >= 1`, and in either it has the order asked for, wherever it
 * keeps its NULLs; at `a >= 1 OR a IS NULL` it is not.
 */
export function stretches(key: readonly ExactPart[], bounds: KeyBounds): readonly Stretch[] {
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
      return stretches(rest, { after: tail(after), until: tail(until) }).map((stretch) => ({
        ...stretch,
        conditions: [`${first.sql} IS NULL`, ...stretch.conditions],
        whole: [plain, ...stretch.whole],
      }));
    });
}

function tail(values: KeyValues | null): KeyValues | null {
  return values?.slice(1) ?? null;
}
