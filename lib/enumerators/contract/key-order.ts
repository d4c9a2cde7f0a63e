import { isSameJson, type Json } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';

/** One value per key column, in the order of the key. */
export type KeyValues = readonly Json[];

/** How the values of one key column are ordered. */
export interface ColumnOrder {
  readonly descending: boolean;
  /** Where NULLs are ordered; undefined = the column has none. */
  readonly nulls?: 'first' | 'last';
  /** Compares two values that are not null as the database does; NaN = unknown. Absent: only the database can compare. */
  readonly compare?: (one: Json, other: Json) => number;
}

/**
 * Compares each key with the one before, column by column, up to the first column whose order is unknown.
 *
 * @throws InvalidEnumeratorError for a key that does not come after the one before it.
 */
export function checkOrder(
  keys: readonly KeyValues[],
  { name, after, orders }: { name: string; after: KeyValues | null; orders: readonly ColumnOrder[] },
): void {
  let before = after;
  for (const key of keys) {
    if (before && stepOf(before, key, orders) < 0) {
      throw new InvalidEnumeratorError(
        `${name}: the rows are out of order: ${describe(key)} comes after ${describe(before)}, so rows would be ` +
          'lost at the end of a page. Does something between the source and the database reorder, filter or change the rows?',
      );
    }
    before = key;
  }
}

/** Positive: `other` comes after `one`. Negative: `other` comes before `one`. 0: unknown. */
function stepOf(one: KeyValues, other: KeyValues, orders: readonly ColumnOrder[]): number {
  for (let column = 0; column < orders.length; column++) {
    const [from, to] = [one[column] as Json, other[column] as Json];
    if (from === to) continue;
    const { compare, descending, nulls } = orders[column] as ColumnOrder;
    if (from === null || to === null) return nulls === undefined ? 0 : (from === null) === (nulls === 'first') ? 1 : -1;
    const compared = compare ? compare(to, from) : Number.NaN;
    if (compared === 0 || isSameJson(from, to)) continue;
    return Number.isNaN(compared) ? 0 : descending ? -compared : compared;
  }
  return 0;
}

const DECIMAL = /^(-?)0*(\d+)(?:\.(\d+))?$/;

/** Compares numbers and decimal texts exactly, at any length; NaN for anything else. */
export function compareNumbers(one: Json, other: Json): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  const [left, right] = [DECIMAL.exec(String(one)), DECIMAL.exec(String(other))];
  if (!left || !right) return Number.NaN;
  const places = Math.max(left[3]?.length ?? 0, right[3]?.length ?? 0);
  const [from, to] = [scaled(left, places), scaled(right, places)];
  return from < to ? -1 : from > to ? 1 : 0;
}

function scaled([, sign, whole, fraction = '']: RegExpExecArray, places: number): bigint {
  return BigInt(`${sign}${whole}${fraction.padEnd(places, '0')}`);
}
