import type { KeyValues } from '../contract/index.js';
import { compare, NOTHING, type Operator, type Where } from './compare.js';
import { firstRounded, type KeyField } from './key.js';
import { toPrisma } from './value.js';

/** The fields that Prisma can compare with these values: up to the first rounded time, and none after it. */
export function comparable(key: readonly KeyField[], values: KeyValues): readonly KeyField[] {
  const rounded = firstRounded(key, values);
  return rounded < 0 ? key : key.slice(0, rounded + 1);
}

/**
 * Rows after `values`, among those whose first `equal` fields are the same. After a rounded time means after its
 * millisecond.
 *
 * The first field that may differ is compared twice: the database can enter an index by `gte`, and not by an OR.
 */
export function rowsAfter(key: readonly KeyField[], values: KeyValues, equal = 0): Where {
  return compared(key, values, equal, ['gte', 'gt', 'gt']);
}

/** Rows up to and including `values`; for a rounded time, all rows of its millisecond. */
export function upTo(key: readonly KeyField[], values: KeyValues, equal = 0): Where {
  return compared(key, values, equal, ['lte', 'lt', 'lte']);
}

/** Rows after `after`, up to and including `until`. Leading values that both share are compared by equality. */
export function between(key: readonly KeyField[], after: KeyValues | null, until: KeyValues): Where {
  if (!after) return upTo(key, until);
  const equal = Math.min(sharedValues(after, until), key.length - 1);
  return all([rowsAfter(key, after, equal), upTo(key, until, equal)]);
}

/**
 * Rows after `after`, as one query after the other. If many rows share the first `shared` fields, the database can enter an
 * index at the right position only with these fields fixed.
 */
export function stagesAfter(key: readonly KeyField[], after: KeyValues | null, shared: number): readonly Where[] {
  if (!after) return [{}];
  const fixed = Math.min(shared, key.length - 1);
  const fewer = Array.from({ length: fixed }, (_, index) => fixed - 1 - index);
  const stages = [
    rowsAfter(key, after, fixed),
    ...fewer.map((equal) => rowsAfter(key.slice(0, equal + 1), after, equal)),
  ];
  return stages.filter((where) => where !== NOTHING);
}

/** How many leading values are the same. */
export function sharedValues(one: KeyValues, other: KeyValues): number {
  const differing = one.findIndex((value, index) => value !== other[index]);
  return differing < 0 ? one.length : differing;
}

/** A `where` of rows with exactly these values. */
export function same(key: readonly KeyField[], values: KeyValues): Where {
  return Object.fromEntries(key.map((part, index) => [part.field.name, toPrisma(part, values[index])]));
}

function compared(
  key: readonly KeyField[],
  values: KeyValues,
  equal: number,
  [entry, differing, last]: readonly [Operator, Operator, Operator],
): Where {
  const [lead] = key.slice(equal);
  const branches = key
    .slice(equal)
    .map((part, offset) => {
      const at = equal + offset;
      const operator = at === key.length - 1 ? last : differing;
      return all([same(key.slice(0, at), values), compare(part, values[at], operator)]);
    })
    .filter((branch) => branch !== NOTHING);
  const [only = NOTHING] = branches;
  if (!lead || branches.length < 2) return only;
  return all([same(key.slice(0, equal), values), compare(lead, values[equal], entry), { OR: branches }]);
}

/** Rows that match all of these, with as few braces as possible. */
function all(wheres: readonly Where[]): Where {
  if (wheres.includes(NOTHING)) return NOTHING;
  const parts = wheres.filter((where) => Object.keys(where).length > 0);
  const names = parts.flatMap((where) => Object.keys(where));
  return new Set(names).size === names.length ? Object.assign({}, ...parts) : { AND: parts };
}
