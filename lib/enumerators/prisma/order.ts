import type { Json } from '../../cursor.js';
import { type ColumnOrder, compareNumbers } from '../contract/index.js';
import type { KeyField } from './key.js';
import { momentOf } from './timestamp.js';

/** How the database orders the fields of a key. The order of texts is known only to the database. */
export function ordersOf(key: readonly KeyField[]): readonly ColumnOrder[] {
  return key.map((part) => {
    const compare = compareOf(part);
    return { descending: part.order === 'desc', ...(part.nulls && { nulls: part.nulls }), ...(compare && { compare }) };
  });
}

function compareOf({ field, values }: KeyField): ColumnOrder['compare'] {
  if (values) return (one, other) => values.indexOf(String(one)) - values.indexOf(String(other));
  if (field.type === 'Boolean') return (one, other) => Number(one) - Number(other);
  if (field.type === 'DateTime') return compareMoments;
  return field.type === 'String' ? undefined : compareNumbers;
}

function compareMoments(one: Json, other: Json): number {
  const [left, right] = [String(one), String(other)];
  // Most pairs have as many digits and the same offset.
  if (left.length === right.length && left.at(-1) === right.at(-1)) return compareTexts(left, right);
  return compareTexts(momentOf(left), momentOf(right));
}

function compareTexts(left: string | undefined, right: string | undefined): number {
  if (left === undefined || right === undefined) return Number.NaN;
  return left < right ? -1 : left > right ? 1 : 0;
}
