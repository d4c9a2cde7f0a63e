import type { KeyValues } from './contract/index.js';
import type { OpenedModel } from './prisma.client.js';
import type { KeyField } from './prisma.key.js';
import type { PrismaField } from './prisma.model.js';
import { toText } from './prisma.value.js';

/** The parameters of one statement. */
export class Sql {
  readonly values: unknown[] = [];

  value(value: unknown): string {
    return `$${this.values.push(Array.isArray(value) ? value : String(value))}`;
  }
}

/** Rows of these values, which are one text a field. */
export function among(sql: Sql, fields: readonly KeyField[], rows: readonly (readonly string[])[]): string {
  const columns = fields.map(({ field }) => column(field));
  if (columns.length === 1) return `${columns[0]} = ANY(${sql.value(rows.map(([value]) => value))})`;
  const tuples = rows.map((row) => `(${row.map((value) => sql.value(value)).join(', ')})`);
  return `(${columns.join(', ')}) IN (${tuples.join(', ')})`;
}

/** Rows behind `values`: by row value where all directions are equal, which alone can enter an index everywhere. */
export function ordered(sql: Sql, key: readonly KeyField[], values: KeyValues): string {
  const columns = key.map(({ field }) => column(field));
  const parameters = key.map((part, index) => sql.value(toText(part, values[index])));
  const signs = key.map(({ order }) => (order === 'asc' ? '>' : '<'));
  if (new Set(signs).size === 1) return `(${columns.join(', ')}) ${signs[0]} (${parameters.join(', ')})`;
  const branches = columns.map((name, index) =>
    [
      ...columns.slice(0, index).map((same, at) => `${same} = ${parameters[at]}`),
      `${name} ${signs[index]} ${parameters[index]}`,
    ].join(' AND '),
  );
  return `(${branches.map((branch) => `(${branch})`).join(' OR ')})`;
}

/** A value's text whatever the session's DateStyle is. */
export function text(field: PrismaField): string {
  return `to_json(${column(field)}) #>> '{}'`;
}

export function column({ column }: PrismaField): string {
  return quote(column);
}

/** The model's table, whatever the session's search_path is. */
export function tableOf({ model, schema }: OpenedModel): string {
  return `${quote(model.table.schema ?? schema)}.${quote(model.table.name)}`;
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
