import type { Json } from '../../cursor.js';
import type { KeyField } from './key.js';
import { bucketOf } from './timestamp.js';
import { toPrisma } from './value.js';

/** A Prisma `where`; `{}` is of every row. */
export type Where = Readonly<Record<string, unknown>>;

/** A comparison along the key's direction. */
export type Operator = 'gt' | 'gte' | 'lt' | 'lte';

/** A `where` of no row. */
export const NOTHING: Where = { OR: [] };

const OPPOSITE = { gt: 'lt', gte: 'lte', lt: 'gt', lte: 'gte' } as const;

/** Rows whose field stands so to a value; of a moment, to its whole millisecond. */
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

/** What Prisma asks of a field that is not null; undefined when no value is such. */
function filterOf(part: KeyField, value: Json | undefined, operator: Operator): Where | 'all' | undefined {
  if (part.field.type === 'Boolean') return ofBoolean(value === true, operator);
  if (part.values) return ofEnum(part.values, String(value), operator);
  if (!part.rounded) return { [operator]: toPrisma(part, value) };
  const { from, to } = bucketOf(value as string);
  // each time within the millisecond means the whole of it: after it is from the next millisecond on
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
