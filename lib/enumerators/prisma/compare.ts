import type { Json } from '../../cursor.js';
import type { KeyField } from './key.js';
import { millisecondOf } from './timestamp.js';
import { toPrisma } from './value.js';

/** A Prisma `where`; `{}` matches every row. */
export type Where = Readonly<Record<string, unknown>>;

/** A comparison along the key's direction. */
export type Operator = 'gt' | 'gte' | 'lt' | 'lte';

/** A `where` that matches no row. */
export const NOTHING: Where = { OR: [] };

const OPPOSITE = { gt: 'lt', gte: 'lte', lt: 'gt', lte: 'gte' } as const;

/** Rows whose field compares with a value in this way. A rounded time is compared by its whole millisecond. */
export function compare(part: KeyField, value: Json | undefined, along: Operator): Where {
  const { name } = part.field;
  if (value === null) return compareToNull(part, along);
  const compared = filterOf(part, value, part.order === 'asc' ? along : OPPOSITE[along]);
  if (!part.nulls) return compared === 'all' ? {} : compared ? { [name]: compared } : NOTHING;
  const nullsToo = (part.nulls === 'last') === along.startsWith('g');
  if (compared === 'all') return nullsToo ? {} : { [name]: { not: null } };
  if (!nullsToo) return compared ? { [name]: compared } : NOTHING;
  return compared ? { OR: [{ [name]: compared }, { [name]: null }] } : { [name]: null };
}

function compareToNull({ field: { name }, nulls }: KeyField, along: Operator): Where {
  const towardsNulls = (nulls === 'last') === along.startsWith('g');
  if (along.endsWith('e')) return towardsNulls ? { [name]: null } : {};
  return towardsNulls ? NOTHING : { [name]: { not: null } };
}

/** The filter for a field that is not null; undefined if no value matches. */
function filterOf(part: KeyField, value: Json | undefined, operator: Operator): Where | 'all' | undefined {
  if (part.field.type === 'Boolean') return ofBoolean(value === true, operator);
  if (part.values) return ofEnum(part.values, String(value), operator);
  if (!part.rounded) return { [operator]: toPrisma(part, value) };
  const { from, to } = millisecondOf(value as string);
  // a time stands for its whole millisecond: after it means from the next millisecond
  return { gt: { gte: to }, gte: { gte: from }, lt: { lt: from }, lte: { lt: to } }[operator];
}

/** Prisma has no order of enums. */
function ofEnum(values: readonly string[], value: string, operator: Operator): Where | undefined {
  const at = values.indexOf(value);
  const wanted = {
    gt: values.slice(at + 1),
    gte: values.slice(at),
    lt: values.slice(0, at),
    lte: values.slice(0, at + 1),
  }[operator];
  return wanted.length > 0 ? { in: wanted } : undefined;
}

/** Prisma has no order of booleans: false comes before true. */
function ofBoolean(value: boolean, operator: Operator): Where | 'all' | undefined {
  const [withFalse, withTrue] = {
    gt: [false, !value],
    gte: [!value, true],
    lt: [value, false],
    lte: [true, value],
  }[operator] as [boolean, boolean];
  if (withFalse && withTrue) return 'all';
  return withFalse || withTrue ? { equals: withTrue } : undefined;
}
