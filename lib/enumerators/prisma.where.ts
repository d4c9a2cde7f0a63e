import type { Json } from '../cursor.js';
import type { KeyValues } from './contract/index.js';
import type { KeyField } from './prisma.key.js';
import { bucketOf } from './prisma.timestamp.js';
import { toPrisma } from './prisma.value.js';

/** A Prisma `where`. */
export type Where = Readonly<Record<string, unknown>>;

/** The fields that Prisma can compare as they are; behind the first timestamp nothing can be. */
export function comparable(key: readonly KeyField[]): readonly KeyField[] {
  const rounded = key.findIndex((part) => part.rounded);
  return rounded < 0 ? key : key.slice(0, rounded + 1);
}

/**
 * Rows behind `values`, of those whose first `equal` fields are the same; of a timestamp, rows behind its millisecond.
 *
 * The first field that may differ is compared twice: an index can be entered by `gte`, not by an OR.
 */
export function behind(key: readonly KeyField[], values: KeyValues, equal = 0): Where {
  return compared(key, values, equal, ['gte', 'gt', 'gt']);
}

/** Rows up to `values`, they included; of a timestamp, all rows of its millisecond. */
export function upTo(key: readonly KeyField[], values: KeyValues): Where {
  return compared(key, values, 0, ['lte', 'lt', 'lte']);
}

type Operator = 'gt' | 'gte' | 'lt' | 'lte';

function compared(
  key: readonly KeyField[],
  values: KeyValues,
  equal: number,
  [entry, differing, last]: readonly [Operator, Operator, Operator],
): Where {
  const [lead] = key.slice(equal);
  const branches = key.slice(equal).map((part, offset) => {
    const at = equal + offset;
    return {
      ...same(key.slice(0, at), values),
      ...compare(part, values[at], at === key.length - 1 ? last : differing),
    };
  });
  if (!lead || branches.length === 1) return branches[0] ?? {};
  return { ...same(key.slice(0, equal), values), ...compare(lead, values[equal], entry), OR: branches };
}

/** A `where` of rows that have exactly these values. */
export function same(key: readonly KeyField[], values: KeyValues): Where {
  return Object.fromEntries(key.map((part, index) => [part.field.name, toPrisma(part, values[index])]));
}

const OPPOSITE = { gt: 'lt', gte: 'lte', lt: 'gt', lte: 'gte' } as const;

function compare(part: KeyField, value: Json | undefined, along: Operator): Where {
  const operator = part.order === 'asc' ? along : OPPOSITE[along];
  const { name } = part.field;
  if (part.field.type === 'Boolean') return { [name]: compareBoolean(value === true, operator) };
  if (part.values) return { [name]: { in: beyond(part.values, String(value), operator) } };
  if (!part.rounded) return { [name]: { [operator]: toPrisma(part, value) } };
  const { from, to } = bucketOf(value as string);
  // every time within the millisecond stands for all of it: behind it is from the next one on
  return { [name]: { gt: { gte: to }, gte: { gte: from }, lt: { lt: from }, lte: { lt: to } }[operator] };
}

/** Prisma has no order of enums. */
function beyond(values: readonly string[], value: string, operator: Operator): readonly string[] {
  const at = values.indexOf(value);
  return { gt: values.slice(at + 1), gte: values.slice(at), lt: values.slice(0, at), lte: values.slice(0, at + 1) }[
    operator
  ];
}

/** Prisma has no order of booleans: false comes before true. */
function compareBoolean(value: boolean, operator: Operator): Where {
  const [withFalse, withTrue] = {
    gt: [false, !value],
    gte: [!value, true],
    lt: [value, false],
    lte: [true, value],
  }[operator] as [boolean, boolean];
  if (withFalse && withTrue) return {};
  return withFalse || withTrue ? { equals: withTrue } : { equals: true, not: true };
}
