import { quoted } from '../../sql.dialect.js';
import type { KeyValues } from '../contract/index.js';
import type { OpenedModel } from './client.js';
import type { KeyField } from './key.js';
import type { PrismaField } from './model.js';
import { toText } from './value.js';

/** The parameters of one statement. */
export class Sql {
  readonly values: unknown[] = [];

  value(value: unknown): string {
    return `$${this.values.push(Array.isArray(value) ? value : String(value))}`;
  }
}

/** Rows that have one of these tuples of values, as texts. */
export function among(sql: Sql, fields: readonly KeyField[], rows: readonly (readonly string[])[]): string {
  const columns = fields.map(({ field }) => column(field));
  if (columns.length === 1) return `${columns[0]} = ANY(${sql.value(rows.map(([value]) => value))})`;
  const tuples = rows.map((row) => `(${row.map((value) => sql.value(value)).join(', ')})`);
  return `(${columns.join(', ')}) IN (${tuples.join(', ')})`;
}

/**
 * Whether a row comes after `values`. A row value is used where possible, because only that can use an index in every
 * case. For a row with a null the result may be NULL, which counts as false.
 */
export function ordered(sql: Sql, key: readonly KeyField[], values: KeyValues): string {
  const parameters = key.map((part, index) =>
    values[index] === null ? 'NULL' : sql.value(toText(part, values[index])),
  );
  const signs = new Set(key.map(({ order }) => (order === 'asc' ? '>' : '<')));
  if (signs.size === 1 && !key.some(({ nulls }) => nulls)) {
    return `(${key.map(({ field }) => column(field)).join(', ')}) ${[...signs][0]} (${parameters.join(', ')})`;
  }
  const branches = key.map((part, index) =>
    [
      ...key.slice(0, index).map((same, at) => equal(same, parameters[at] as string)),
      beyond(part, parameters[index] as string),
    ].join(' AND '),
  );
  return `(${branches.map((branch) => `(${branch})`).join(' OR ')})`;
}

/** Rows whose field has this value. */
export function equal({ field }: KeyField, parameter: string): string {
  return parameter === 'NULL' ? `${column(field)} IS NULL` : `${column(field)} = ${parameter}`;
}

/** The order of a key, as `ORDER BY` takes it. */
export function orderOf(key: readonly KeyField[]): string {
  return key.map(({ field, order, nulls }) => `${column(field)} ${order}${nulls ? ` NULLS ${nulls}` : ''}`).join(', ');
}

/** A value for JSON, without loss, whatever the session's DateStyle is. */
export function inJson(field: PrismaField): string {
  return field.type === 'String' || field.type === 'DateTime' ? column(field) : `CAST(${column(field)} AS text)`;
}

export function column({ column }: PrismaField): string {
  return quoted('postgresql', column);
}

/** A column as the model's database quotes it. */
export function columnOf({ model }: OpenedModel, { column }: PrismaField): string {
  return quoted(model.dialect, column);
}

/** The model's table, whatever the session's search_path is, if the schema is known. */
export function tableOf({ model: { dialect, table }, schema: own }: OpenedModel): string {
  const name = quoted(dialect, table.name);
  const schema = table.schema ?? own;
  return dialect === 'postgresql' && schema ? `${quoted(dialect, schema)}.${name}` : name;
}

function beyond({ field, order, nulls }: KeyField, parameter: string): string {
  const name = column(field);
  if (parameter === 'NULL') return nulls === 'first' ? `${name} IS NOT NULL` : 'FALSE';
  const compared = `${name} ${order === 'asc' ? '>' : '<'} ${parameter}`;
  return nulls === 'last' ? `(${compared} OR ${name} IS NULL)` : compared;
}
