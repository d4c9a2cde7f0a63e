import type { Cursor, Json } from '../cursor.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';
import type { KeyColumn, KeyValues } from './contract/index.js';
import type { PrismaField, PrismaModel } from './prisma.model.js';
import { bucketOf } from './prisma.timestamp.js';

/** One field of the key a model is read by. */
export interface KeyField {
  readonly field: PrismaField;
  readonly order: 'asc' | 'desc';
  /** A timestamp: Prisma rounds it to milliseconds, in rows and in `where` alike. */
  readonly rounded: boolean;
  /** An enum's values in the database's order; known once reading has begun. */
  readonly values?: readonly string[];
}

/** A Prisma `where`. */
export type Where = Readonly<Record<string, unknown>>;

/**
 * The key's fields, completed by the model's primary key.
 *
 * @throws InvalidOptionsError for a field that no order without losses can be built on.
 */
export function keyFields(model: PrismaModel, key: readonly KeyColumn[]): readonly KeyField[] {
  const [identity] = model.uniques;
  if (!identity) {
    throw new InvalidOptionsError(
      `${model.name} has neither a primary key nor a unique constraint of required fields, so its rows cannot be told ` +
        "apart. Give it one (@id, @@id, @unique), or use the builder's keyset()",
    );
  }
  const order = key.at(-1)?.order ?? 'asc';
  const missing = identity.filter((name) => !key.some(({ column }) => column === name));
  return [...key, ...missing.map((column) => ({ column, order }))].map((part) => keyField(model, part));
}

function keyField(model: PrismaModel, { column, order }: KeyColumn): KeyField {
  const field = model.fields.get(column);
  const where = `prisma.records: the key field "${column}" of ${model.name}`;
  if (!field) {
    const known = [...model.fields.values()].filter((other) => !other.nullable && !refusal(other, model.provider));
    throw new InvalidOptionsError(`${where} is unknown. Fields: ${known.map(({ name }) => name).join(', ')}`);
  }
  const refused = refusal(field, model.provider);
  if (refused) throw new InvalidOptionsError(`${where} ${refused}. Use other fields: { key: [...] }`);
  if (field.nullable) {
    throw new InvalidOptionsError(
      `${where} may be null, and a null has no place in an order by comparison: its rows would be lost. ` +
        'Make it required in the schema, or use other fields: { key: [...] }',
    );
  }
  return { field, order, rounded: isRounded(field) };
}

function refusal(field: PrismaField, provider: string): string | undefined {
  if (field.kind === 'other') return `is of type ${field.type}, a relation or a type without an order`;
  if (field.list) return 'is a list, which has no order';
  if (field.kind === 'enum' && !provider.startsWith('postgres')) {
    return `is an enum, whose order can be learnt on PostgreSQL, not on ${provider}`;
  }
  if (field.type === 'Json' || field.type === 'Bytes') return `is ${field.type}, which Prisma cannot compare`;
  if (field.native?.startsWith('Time') && !field.native.startsWith('Timestamp')) return `is ${field.native}`;
  if (field.native === 'Real') return 'is Real, whose values Prisma rounds';
  if (isRounded(field) && !provider.startsWith('postgres')) {
    return `is a DateTime, of which Prisma tells only milliseconds; the rest can be learnt on PostgreSQL, not on ${provider}`;
  }
  return undefined;
}

function isRounded({ type, native }: PrismaField): boolean {
  return type === 'DateTime' && native !== 'Date';
}

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

/** A key value of a row as JSON; a timestamp comes from the database itself. */
export function fromPrisma({ field }: KeyField, value: unknown): Json {
  const json = jsonOf(field, value);
  if (json !== undefined) return json;
  throw new InvalidEnumeratorError(
    `The rows hold ${String(value)} as "${field.name}", which is no ${field.type} that a cursor could hold. ` +
      'Does an extension of the client compute a field of that name?',
  );
}

function jsonOf({ type }: PrismaField, value: unknown): Json | undefined {
  switch (type) {
    case 'Int':
      return typeof value === 'number' ? value : undefined;
    case 'Float':
      return Number.isFinite(value) ? (value as number) + 0 : undefined; // + 0: JSON has no -0
    case 'BigInt':
      return typeof value === 'bigint' ? String(value) : undefined;
    case 'Decimal':
      return decimalText(value);
    case 'DateTime':
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
    default:
      return typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
  }
}

function decimalText(value: unknown): string | undefined {
  const text = (value as { toFixed?(): string } | null)?.toFixed?.();
  return text === 'NaN' ? undefined : text;
}

/** A key value that the database gave as text. */
export function fromText({ field }: KeyField, text: string): Json {
  if (field.type === 'Int' || field.type === 'Float') return Number(text);
  if (field.type === 'Boolean') return text === 'true';
  return [...(field.values ?? [])].find(([, label]) => label === text)?.[0] ?? text;
}

/** A key value as the text that the database takes. */
export function toText({ field }: KeyField, value: Json | undefined): string {
  return field.values?.get(String(value)) ?? String(value);
}

/** A cursor's value as Prisma takes it. */
export function toPrisma({ field }: KeyField, value: Json | undefined): unknown {
  if (field.type === 'BigInt') return BigInt(value as string);
  return field.type === 'DateTime' ? new Date(value as string) : value;
}

/**
 * Checks a cursor's values against the key before anything is read.
 *
 * @throws InvalidCursorError for one that this key cannot have made.
 */
export function checkCursor(name: string, key: readonly KeyField[], cursor: Cursor): void {
  if (cursor === null) return;
  const values: KeyValues = Array.isArray(cursor) ? cursor : [cursor as Json];
  if (values.length !== key.length) return; // the pages' own error tells it best
  for (const [index, part] of key.entries()) {
    if (isPossible(part.field, values[index])) continue;
    throw new InvalidCursorError(
      `${name}: the cursor ${JSON.stringify(cursor)} has ${JSON.stringify(values[index])} for "${part.field.name}", ` +
        `which is no ${part.field.type}. Was the key changed? Then raise the processor's "version"`,
      'cursor',
    );
  }
}

function isPossible({ type, values }: PrismaField, value: Json | undefined): boolean {
  if (type === 'Int' || type === 'Float') return typeof value === 'number';
  if (type === 'Boolean') return typeof value === 'boolean';
  if (typeof value !== 'string') return false;
  if (values) return values.has(value);
  if (type === 'BigInt') return /^-?\d+$/.test(value);
  if (type === 'Decimal') return /^-?\d+(\.\d+)?$/.test(value);
  return type !== 'DateTime' || !Number.isNaN(Date.parse(value));
}
