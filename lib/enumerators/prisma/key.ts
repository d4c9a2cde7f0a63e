import { InvalidOptionsError } from '../../iteration.errors.js';
import type { KeyColumn, KeyValues } from '../contract/index.js';
import type { OpenedModel } from './client.js';
import type { PrismaField } from './model.js';
import type { Offset } from './timestamp.js';

/** One field of the key that orders a model's rows. */
export interface KeyField {
  readonly field: PrismaField;
  readonly order: 'asc' | 'desc';
  /** The position of nulls; undefined for a required field. */
  readonly nulls?: 'first' | 'last';
  /** A time that may have microseconds: Prisma rounds it to milliseconds, in rows and in `where` alike. */
  readonly rounded: boolean;
  /** For a time that has only milliseconds, which a Date holds. Known once reading has begun. */
  readonly offset?: Offset;
  /** An enum's values in the database's order. Known once reading has begun. */
  readonly values?: readonly string[];
  /** By how many characters the database sorts a text that may be longer. Known once reading has begun. */
  readonly sorted?: number;
}

/**
 * The key's fields, completed by the model's primary key. If the primary key cannot be paged, another unique key is used.
 *
 * @throws InvalidOptionsError for a field whose order would lose rows.
 */
export function keyFields(opened: OpenedModel, key: readonly KeyColumn[]): readonly KeyField[] {
  const { model, source } = opened;
  const canFollow = (name: string) => {
    const field = model.fields.get(name);
    return field !== undefined && refusal(field, opened) === undefined;
  };
  const identity = model.uniques.find((unique) => unique.every(canFollow)) ?? model.uniques[0];
  if (!identity) {
    throw new InvalidOptionsError(
      `${source}: ${model.name} has neither a primary key nor a unique constraint of required fields, so its rows cannot be ` +
        'distinguished. Give it one (@id, @@id, @unique), or iterate with your own generator',
    );
  }
  const order = key.at(-1)?.order ?? 'asc';
  const missing = identity.filter((name) => !key.some(({ column }) => column === name));
  return [...key, ...missing.map((column) => ({ column, order }))].map((part) => keyField(opened, part));
}

/** Whether the model gives a time more than milliseconds. The table is asked later, and decides. */
export function isDeclaredFiner({ field: { native = '' }, rounded }: KeyField): boolean {
  return rounded && /\([4-6]\)$/.test(native);
}

/** The index of the first rounded time among these values of a key; -1: there is none. A null is exact. */
export function firstRounded(key: readonly KeyField[], values: KeyValues): number {
  return key.findIndex(({ rounded }, index) => rounded && values[index] !== null);
}

function keyField(opened: OpenedModel, { column, order, nulls }: KeyColumn): KeyField {
  const { model, source } = opened;
  const field = model.fields.get(column);
  const where = `${source}: the key field "${column}" of ${model.name}`;
  if (!field) {
    const known = [...model.fields.values()].filter((other) => !refusal(other, opened));
    throw new InvalidOptionsError(`${where} is unknown. Fields: ${known.map(({ name }) => name).join(', ')}`);
  }
  const refused = refusal(field, opened);
  if (refused) {
    const instead = model.uniques.some((names) => names.includes(column))
      ? 'Give the model a unique constraint of other required fields, which then identifies its rows'
      : 'Use other fields: { key: [...] }';
    throw new InvalidOptionsError(`${where} ${refused}. ${instead}`);
  }
  if (field.nullable && !nulls) {
    throw new InvalidOptionsError(
      `${where} may be null, and without a position for its nulls their rows would be lost. ` +
        `State it: { key: [{ column: '${column}', order: '${order}', nulls: 'first' | 'last' }] }`,
    );
  }
  return { field, order, rounded: isTime(field), ...(field.nullable && { nulls }) };
}

function refusal(field: PrismaField, { model: { provider, dialect }, base }: OpenedModel): string | undefined {
  if (field.kind === 'other') return `is of type ${field.type}, a relation or a type without an order`;
  if (field.list) return 'is a list, which has no order';
  if (field.type === 'Int' || field.type === 'BigInt') return undefined;
  if (!dialect) {
    return `is ${field.type}, and on ${provider} only Int and BigInt are exact: other types are not checked there`;
  }
  if (field.kind === 'enum' && dialect !== 'postgresql') {
    return `is an enum, whose order is known on PostgreSQL, not on ${provider}`;
  }
  if (field.type === 'Json' || field.type === 'Bytes') return `is ${field.type}, which Prisma cannot compare`;
  if (field.native?.startsWith('Time') && !field.native.startsWith('Timestamp')) return `is ${field.native}`;
  if (field.native === 'Real') return 'is Real, whose values Prisma rounds';
  if (dialect !== 'postgresql') return elsewhere(field, provider);
  if (field.type === 'Float' && !comparesFloats(base._clientVersion)) {
    return `is a Float, which Prisma ${base._clientVersion} rounds in comparisons; 7.4 and later do not`;
  }
  return undefined;
}

/** Fields that are exact only on PostgreSQL. */
function elsewhere(field: PrismaField, provider: string): string | undefined {
  if (field.type === 'DateTime') {
    return `is a DateTime, which Prisma rounds to milliseconds; it is exact on PostgreSQL, not on ${provider}`;
  }
  if (field.type !== 'Float' && field.type !== 'Decimal') return undefined;
  return `is a ${field.type}, which is exact on PostgreSQL, not on ${provider}`;
}

function comparesFloats(version = ''): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 7 || (major === 7 && minor >= 4);
}

function isTime({ type, native }: PrismaField): boolean {
  return type === 'DateTime' && native !== 'Date';
}
