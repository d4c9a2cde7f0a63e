import type { Cursor, Json } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../iteration.errors.js';
import type { KeyColumn, KeyValues } from '../contract/index.js';
import { databaseOf } from './database.js';
import { type ExactPart, isDeclaredInteger, type KeyPart } from './key.part.js';
import { type Column, mainOf, type Query, selectsWhole } from './query.js';
import { dataSourceOf } from './typeorm.workarounds.js';

/**
 * The columns of a key, made unique: missing primary key columns follow, in the direction of the last column.
 *
 * @throws InvalidOptionsError for a column that is unknown, nullable, or named twice. If the catalogue of the database cannot
 * be read, also for a column that is not an integer.
 */
export function keyParts(query: Query<unknown>, key: readonly KeyColumn[], source: string): readonly KeyPart[] {
  const { name, metadata } = mainOf(query);
  if (metadata.primaryColumns.length === 0) {
    throw new InvalidEnumeratorError(
      `${source}: ${metadata.name} has no primary key, so its rows cannot be distinguished. ` +
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
  const parts = [...columns].map(([column, { order, nulls }], index): KeyPart => {
    const type = dataSourceOf(query).driver.normalizeType(column).toLowerCase();
    return {
      name: column.propertyPath,
      column: column.databaseName,
      sql: `${query.escape(name)}.${query.escape(column.databaseName)}`,
      declared: column.isArray ? `${type}[]` : type,
      descending: order === 'desc',
      nulls: metadata.primaryColumns.includes(column) ? undefined : nulls, // TypeORM makes no entity of a row with NULL there
      plain: plainAlias(query, column),
      hidden: `${alias}_${index}`,
    };
  });
  if (!databaseOf(dataSourceOf(query))) for (const part of parts) checkUnasked(query, part, source);
  return parts;
}

/** @throws InvalidOptionsError for a column that is not exact in a database whose catalogue cannot be read. */
function checkUnasked(query: Query<unknown>, { name, declared, nulls }: KeyPart, source: string): void {
  const { type } = dataSourceOf(query).driver.options;
  if (nulls) {
    throw new InvalidOptionsError(
      `${source}: the key column "${name}" has nulls: '${nulls}', and the position of NULLs on ${type} is not known. ` +
        'Choose a key column that is never NULL',
    );
  }
  if (isDeclaredInteger(declared)) return;
  throw new InvalidOptionsError(
    `${source}: the key column "${name}" (${declared} in the entity) cannot be paged exactly on ${type}, ` +
      'whose catalogue is not read: there only integers can be keys. Choose another key column',
  );
}

/** The key of a raw row. */
export function keyOf(parts: readonly ExactPart[], raw: unknown, source: string): KeyValues {
  const [only] = parts;
  if (only && parts.length === 1) return [partOf(only, raw, source)]; // most keys: no closure a row
  return parts.map((part) => partOf(part, raw, source));
}

function partOf({ name, alias, read, nulls, because }: ExactPart, raw: unknown, source: string): Json {
  const found = (raw as Record<string, unknown>)[alias];
  const value = found === null && nulls ? null : read(found);
  if (value !== undefined) return value;
  if (found === null) throw hasNull(name, source);
  throw new InvalidEnumeratorError(
    `${source}: the key column "${name}" came back as ${describe(found)}, which is not ` +
      `an exact key. ${because || 'Do not change how the driver reads it'}`,
  );
}

export function hasNull(column: string, source: string): InvalidEnumeratorError {
  return new InvalidEnumeratorError(
    `${source}: the key column "${column}" came back as NULL, which the entity excludes, and rows with NULL would be ` +
      'lost. Make it NOT NULL, or state the position of NULLs: ' +
      `{ key: [{ column: '${column}', order: 'asc', nulls: 'last' }] }; a primary key must have none`,
  );
}

/** @throws InvalidCursorError for a cursor of another key. */
export function checkCursor(parts: readonly KeyPart[], cursor: Cursor, source: string): void {
  if (cursor === null) return;
  const values: KeyValues = Array.isArray(cursor) ? (cursor as KeyValues) : [cursor];
  const isExact = parts.every(({ nulls }, index) => {
    const value = values[index];
    return typeof value === 'string' || Number.isFinite(value) || (value === null && nulls !== undefined);
  });
  if (isExact && values.length === parts.length) return;
  throw new InvalidCursorError(
    `${source}: the cursor ${describe(cursor)} is not one of the key (${parts.map(({ name }) => name).join(', ')}), ` +
      'which is a string or number for each column, and null where it may be NULL. Was the key changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

/** @throws InvalidCursorError for values that no row of the table can have. */
export function checkValues(key: readonly ExactPart[], values: KeyValues | null, name: string): void {
  if (values === null) return;
  const index = key.findIndex(({ accepts }, column) => {
    const value = values[column] as Json;
    return value !== null && !accepts(value);
  });
  const part = key[index];
  if (!part) return;
  throw new InvalidCursorError(
    `${name}: the cursor ${describe(values.length === 1 ? values[0] : values)} has ${describe(values[index])} for the ` +
      `column "${part.name}", which is not a value of ${part.type}, its type in the table. Was the key, or the type of the ` +
      'column, changed? Then raise the processor\'s "version"',
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
        `State their position: { key: [{ column: '${path}', order: 'asc', nulls: 'last' }] }, or 'first'`,
    );
  }
  return column;
}

/** The alias with which the query selects a column unchanged. */
function plainAlias(query: Query<unknown>, column: Column): string | undefined {
  const { name } = mainOf(query);
  const { maxAliasLength = 0 } = dataSourceOf(query).driver;
  const alias = `${name}_${column.databaseName}`;
  const isShortened = maxAliasLength > 0 && alias.length > maxAliasLength;
  const isRenamed = query.expressionMap.selects.some(({ selection }) => selection === `${name}.${column.propertyPath}`);
  return selectsWhole(query) && column.isSelect && !isShortened && !isRenamed ? alias : undefined;
}

/** A name with which no alias of the query's selections begins. */
function freeAlias(query: Query<unknown>, name: string): string {
  const isTaken = query.expressionMap.selects.some(({ aliasName }) => aliasName?.startsWith(name));
  return isTaken ? freeAlias(query, `${name}_`) : name;
}
