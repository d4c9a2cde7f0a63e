import type { Cursor, Json } from '../../cursor.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../iteration.errors.js';
import type { KeyColumn, KeyValues } from '../contract/index.js';
import { exactValue } from './exact.js';
import { type Column, mainOf, type Query, selectsWhole } from './query.js';

/** One column of a key. */
export interface KeyPart {
  readonly name: string;
  /** Its name in the table. */
  readonly column: string;
  readonly sql: string;
  /** What is compared with a value of it. */
  readonly compared: string;
  readonly descending: boolean;
  /** Where NULLs stand; undefined: it has none. */
  readonly nulls: 'first' | 'last' | undefined;
  /** What has to be selected besides, to have the exact value in a raw row; undefined: it is there anyway. */
  readonly selection: string | undefined;
  /** Where the exact value stands in a raw row. */
  readonly alias: string;
  read(value: unknown): Json | undefined;
  /** Why `read` finds some values not exact; may be empty. */
  readonly because: string;
  /** SQL for a value that is bound to a parameter, such as `:name`. */
  parameter(parameter: string, value: Json): string;
}

/**
 * The columns of a key, made unique: primary key columns that are not among them follow, in the last one's direction.
 *
 * @throws InvalidOptionsError for a column that is unknown, nullable, named twice, or that cannot be followed exactly.
 */
export function keyParts(query: Query<unknown>, key: readonly KeyColumn[], source: string): readonly KeyPart[] {
  const { name, metadata } = mainOf(query);
  if (metadata.primaryColumns.length === 0) {
    throw new InvalidEnumeratorError(
      `${source}: ${metadata.name} has no primary key, so its rows cannot be told apart. ` +
        'Mark the columns that identify a row with @PrimaryColumn()',
    );
  }
  const columns = new Map<Column, Omit<KeyColumn, 'column'>>();
  for (const part of key) {
    const column = columnOf(query, part, source);
    if (columns.has(column)) throw new InvalidOptionsError(`${source}: key names the column "${part.column}" twice`);
    columns.set(column, part);
  }
  const order = key.at(-1)?.order ?? 'asc';
  for (const column of metadata.primaryColumns) if (!columns.has(column)) columns.set(column, { order });

  const alias = freeAlias(query, 'iteration_key');
  return [...columns].map(([column, { order, nulls }], index) => {
    const sql = `${query.escape(name)}.${query.escape(column.databaseName)}`;
    const { expression, ...value } = exactValue(query, column, sql, source);
    const plain = expression === undefined ? plainAlias(query, column) : undefined;
    return {
      ...value,
      name: column.propertyPath,
      column: column.databaseName,
      sql,
      descending: order === 'desc',
      nulls: metadata.primaryColumns.includes(column) ? undefined : nulls, // TypeORM makes no entity of a row with NULL there
      selection: plain ? undefined : (expression ?? sql),
      alias: plain ?? `${alias}_${index}`,
    };
  });
}

/** The key of a raw row. */
export function keyOf(parts: readonly KeyPart[], raw: unknown, source: string): KeyValues {
  const [only] = parts;
  if (only && parts.length === 1) return [partOf(only, raw, source)]; // most keys: no closure a row
  return parts.map((part) => partOf(part, raw, source));
}

function partOf({ name, alias, read, nulls, because }: KeyPart, raw: unknown, source: string): Json {
  const found = (raw as Record<string, unknown>)[alias];
  const value = found === null && nulls ? null : read(found);
  if (value !== undefined) return value;
  if (found === null) throw hasNull(name, source);
  throw new InvalidEnumeratorError(
    `${source}: the key column "${name}" came back as ${String(found).slice(0, 100)} (${typeof found}), which is no ` +
      `exact key. ${because || 'Do not change how the driver reads it'}`,
  );
}

export function hasNull(column: string, source: string): InvalidEnumeratorError {
  return new InvalidEnumeratorError(
    `${source}: the key column "${column}" came back as NULL, which the entity says it never is, and rows with NULL would ` +
      'be lost. Make it NOT NULL, or say where NULLs stand: ' +
      `{ key: [{ column: '${column}', order: 'asc', nulls: 'last' }] }; a primary key must have none`,
  );
}

/** @throws InvalidCursorError for a cursor that no row has under this key. */
export function checkCursor(parts: readonly KeyPart[], cursor: Cursor, source: string): void {
  if (cursor === null) return;
  const values: KeyValues = Array.isArray(cursor) ? (cursor as KeyValues) : [cursor];
  const isExact = parts.every(({ nulls }, index) => {
    const value = values[index];
    return typeof value === 'string' || Number.isFinite(value) || (value === null && nulls !== undefined);
  });
  if (isExact && values.length === parts.length) return;
  throw new InvalidCursorError(
    `${source}: the cursor ${JSON.stringify(cursor)} is not one of the key (${parts.map(({ name }) => name).join(', ')}), ` +
      'which is a string or number for each column, and null where it may be NULL. Was the key changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

function columnOf(query: Query<unknown>, { column: path, nulls }: KeyColumn, source: string): Column {
  const { metadata } = mainOf(query);
  const column = metadata.findColumnWithPropertyPath(path) ?? metadata.findColumnWithDatabaseName(path);
  if (!column || column.isVirtualProperty) {
    const known = metadata.columns.filter(({ isVirtualProperty }) => !isVirtualProperty);
    throw new InvalidOptionsError(
      `${source}: ${metadata.name} has no column "${path}" for a key. ` +
        `It has: ${known.map(({ propertyPath }) => propertyPath).join(', ')}`,
    );
  }
  if (column.isNullable && !nulls) {
    throw new InvalidOptionsError(
      `${source}: the key column "${path}" of ${metadata.name} is nullable, and rows with NULL would be lost. ` +
        `Say where they stand: { key: [{ column: '${path}', order: 'asc', nulls: 'last' }] }, or 'first'`,
    );
  }
  return column;
}

/** The alias by which the query selects a column as it is. */
function plainAlias(query: Query<unknown>, column: Column): string | undefined {
  const { name } = mainOf(query);
  const { maxAliasLength = 0 } = query.dataSource.driver;
  const alias = `${name}_${column.databaseName}`;
  const isShortened = maxAliasLength > 0 && alias.length > maxAliasLength;
  const isRenamed = query.expressionMap.selects.some(({ selection }) => selection === `${name}.${column.propertyPath}`);
  return selectsWhole(query) && column.isSelect && !isShortened && !isRenamed ? alias : undefined;
}

/** A name that begins none of those that the query gives to what it selects. */
function freeAlias(query: Query<unknown>, name: string): string {
  const isTaken = query.expressionMap.selects.some(({ aliasName }) => aliasName?.startsWith(name));
  return isTaken ? freeAlias(query, `${name}_`) : name;
}
