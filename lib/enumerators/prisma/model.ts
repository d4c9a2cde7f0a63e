import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { type Dialect, dialectOf } from '../../sql.dialect.js';

/** What a source needs of a model. Prisma's public run-time API has neither its primary key nor its nullable fields. */
export interface PrismaModel {
  readonly name: string;
  readonly provider: string;
  /** Undefined: the catalogue of this database is not read. */
  readonly dialect: Dialect | undefined;
  readonly fields: ReadonlyMap<string, PrismaField>;
  /** The sets of fields that identify a row, the primary key first. Each set is unique and never null. */
  readonly uniques: readonly (readonly string[])[];
  /** The table's name, and its schema's if the model names one. */
  readonly table: { readonly name: string; readonly schema: string | undefined };
}

export interface PrismaField {
  readonly name: string;
  readonly column: string;
  readonly type: string;
  /** The database's own type, such as `Timestamptz(6)`. */
  readonly native: string | undefined;
  readonly kind: 'scalar' | 'enum' | 'other';
  /** An enum's values: the database's label of each name. */
  readonly values: ReadonlyMap<string, string> | undefined;
  readonly list: boolean;
  readonly nullable: boolean;
}

const SCALARS = ['String', 'Boolean', 'Int', 'BigInt', 'Float', 'Decimal', 'DateTime', 'Json', 'Bytes'];

/**
 * Reads a model from the text of the Prisma schema, which every generated client contains.
 *
 * @throws InvalidEnumeratorError if the text does not have the model.
 */
export function parseModel(schemaText: string, name: string): PrismaModel {
  const schema = withoutComments(schemaText);
  const body = bodyOf(schema, 'model|view', name);
  if (body === undefined) {
    throw new InvalidEnumeratorError(`The Prisma client's schema has no model "${name}". Generate the client again`);
  }
  const lines = body.split('\n').map((line) => line.trim());
  const attributes = lines.filter((line) => line.startsWith('@@'));
  const declared = lines.filter((line) => !line.startsWith('@@')).flatMap((line) => parseField(line, schema));
  const fields = new Map(declared.map(({ field }) => [field.name, field]));
  const marked = (mark: string) =>
    declared.filter(({ flags }) => flags.includes(mark)).map(({ field }) => [field.name]);
  const uniques = [
    ...marked('@id'),
    ...listed(attributes, '@@id'),
    ...marked('@unique'),
    ...listed(attributes, '@@unique'),
  ];
  const provider = /^\s*datasource\s+\w+\s*\{[^}]*?\bprovider\s*=\s*"(\w+)"/m.exec(schema)?.[1] ?? 'unknown';
  return {
    name,
    provider,
    dialect: dialectOf(provider),
    fields,
    uniques: uniques.filter((names) => names.every((field) => fields.get(field)?.nullable === false)),
    table: { name: quoted(attributes, '@@map') ?? name, schema: quoted(attributes, '@@schema') },
  };
}

function parseField(line: string, schema: string): { field: PrismaField; flags: readonly string[] }[] {
  const [, name, type, modifier, attributes = ''] = /^(\w+)\s+(\w+)(?:\([^)]*\))?(\[\]|\?)?\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || type === undefined) return [];
  const values = enumValues(schema, type);
  const field: PrismaField = {
    name,
    type,
    column: quoted([attributes], '@map') ?? name,
    native: /@\w+\.(\w+(?:\([^)]*\))?)/.exec(withoutStrings(attributes))?.[1],
    kind: values ? 'enum' : SCALARS.includes(type) ? 'scalar' : 'other',
    values,
    list: modifier === '[]',
    nullable: modifier === '?',
  };
  return [{ field, flags: withoutStrings(attributes).match(/@\w+/g) ?? [] }];
}

function enumValues(schema: string, name: string): ReadonlyMap<string, string> | undefined {
  const body = bodyOf(schema, 'enum', name);
  const lines = body?.split('\n').map((line) => /^(\w+)(.*)$/.exec(line.trim()) ?? []);
  return (
    lines &&
    new Map(
      lines
        .filter(([, value]) => value)
        .map(([, value = '', attributes = '']) => [value, quoted([attributes], '@map') ?? value]),
    )
  );
}

function bodyOf(schema: string, keyword: string, name: string): string | undefined {
  return new RegExp(String.raw`^\s*(?:${keyword})\s+${name}\s*\{\s*$([\s\S]*?)^\s*\}`, 'm').exec(schema)?.[1];
}

/** The fields that `@@id` or `@@unique` lists. */
function listed(attributes: readonly string[], mark: string): string[][] {
  return attributes
    .filter((attribute) => attribute.startsWith(`${mark}(`))
    .map((attribute) => attribute.slice(mark.length + 1).replace(/\([^()]*\)/g, ''))
    .map((fields) => /\[(.*?)\]/.exec(fields)?.[1]?.match(/\w+/g) ?? []);
}

function quoted(attributes: readonly string[], mark: string): string | undefined {
  const value = new RegExp(String.raw`${mark}\(\s*(?:name:\s*)?("(?:\\.|[^"\\])*")`);
  const found = attributes.map((attribute) => value.exec(attribute)?.[1]).find((text) => text !== undefined);
  return found === undefined ? undefined : (JSON.parse(found) as string);
}

function withoutStrings(text: string): string {
  return text.replace(/"(?:\\.|[^"\\])*"/g, '""');
}

function withoutComments(text: string): string {
  return text.replace(/"(?:\\.|[^"\\])*"|\/\/.*|\/\*[\s\S]*?\*\//g, (part) => (part.startsWith('"') ? part : ''));
}
