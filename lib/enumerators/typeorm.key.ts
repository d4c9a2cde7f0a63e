import type { Cursor, Json } from '../cursor.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';
import type { KeyColumn, KeyValues } from './contract/index.js';
import { exactValue } from './typeorm.exact.js';
import { type Column, mainOf, type Query, selectsWhole } from './typeorm.query.js';

/** One column of a key. */
export interface KeyPart {
  readonly name: string;
  readonly sql: string;
  readonly descending: boolean;
  /** What has to be selected besides, to have the exact value in a raw row; undefined: it is there anyway. */
  readonly selection: string | undefined;
  /** Where the exact value stands in a raw row. */
  readonly alias: string;
  read(value: unknown): Json | undefined;
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
  const columns = new Map<Column, KeyColumn['order']>();
  for (const { column: path, order } of key) {
    const column = columnOf(query, path, source);
    if (columns.has(column)) throw new InvalidOptionsError(`${source}: key names the column "${path}" twice`);
    columns.set(column, order);
  }
  const order = key.at(-1)?.order ?? 'asc';
  for (const column of metadata.primaryColumns) if (!columns.has(column)) columns.set(column, order);

  return [...columns].map(([column, order], index) => {
    const sql = `${query.escape(name)}.${query.escape(column.databaseName)}`;
    const { expression, read } = exactValue(query, column, sql, source);
    const plain = expression === undefined ? plainAlias(query, column) : undefined;
    return {
      name: column.propertyPath,
      sql,
      descending: order === 'desc',
      selection: plain ? undefined : (expression ?? sql),
      alias: plain ?? `iteration_key_${index}`,
      read,
    };
  });
}

/** The key of a raw row. */
export function keyOf(parts: readonly KeyPart[], raw: unknown, source: string): KeyValues {
  return parts.map(({ name, alias, read }) => {
    const found = (raw as Record<string, unknown>)[alias];
    const value = read(found);
    if (value !== undefined) return value;
    throw new InvalidEnumeratorError(
      `${source}: the key column "${name}" came back as ${found === null ? 'NULL' : `${String(found)} (${typeof found})`}, ` +
        'which is no exact key. Choose a column that is never NULL, and do not change how the driver reads it',
    );
  });
}

/** @throws InvalidCursorError for a cursor that no row has under this key. */
export function checkCursor(parts: readonly KeyPart[], cursor: Cursor, source: string): void {
  if (cursor === null) return;
  const values: KeyValues = Array.isArray(cursor) ? (cursor as KeyValues) : [cursor];
  const isExact = values.every((value) => typeof value === 'string' || Number.isFinite(value));
  if (isExact && values.length === parts.length) return;
  throw new InvalidCursorError(
    `${source}: the cursor ${JSON.stringify(cursor)} is not one of the key (${parts.map(({ name }) => name).join(', ')}), ` +
      'which is a string or number for each column. Was the key changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

/** SQL for the rows behind the parameters' key, or for those up to and including it. */
export function compare(
  parts: readonly KeyPart[],
  { parameters, side, rowValues }: { parameters: readonly string[]; side: 'after' | 'until'; rowValues: boolean },
): string {
  const equal = side === 'until' ? '=' : '';
  const terms = parts.map(({ sql, descending }, index) => ({
    sql,
    operator: descending === (side === 'after') ? '<' : '>',
    parameter: `:${parameters[index]}`,
  }));
  const [first] = terms as [Term];
  const isUniform = terms.every(({ operator }) => operator === first.operator);
  if (terms.length === 1 || (rowValues && isUniform)) {
    const row = (values: readonly string[]) => (values.length === 1 ? values[0] : `(${values.join(', ')})`);
    return `${row(terms.map(({ sql }) => sql))} ${first.operator}${equal} ${row(terms.map(({ parameter }) => parameter))}`;
  }
  const columnByColumn = terms.reduceRight(
    (rest, { sql, operator, parameter }) =>
      rest === ''
        ? `${sql} ${operator}${equal} ${parameter}`
        : `(${sql} ${operator} ${parameter} OR (${sql} = ${parameter} AND ${rest}))`,
    '',
  );
  // The first term follows from the rest; an index can be entered by it, which an OR does not allow.
  return `${first.sql} ${first.operator}= ${first.parameter} AND ${columnByColumn}`;
}

interface Term {
  readonly sql: string;
  readonly operator: string;
  readonly parameter: string;
}

function columnOf(query: Query<unknown>, path: string, source: string): Column {
  const { metadata } = mainOf(query);
  const column = metadata.findColumnWithPropertyPath(path) ?? metadata.findColumnWithDatabaseName(path);
  if (!column || column.isVirtualProperty) {
    const known = metadata.columns.filter(({ isVirtualProperty }) => !isVirtualProperty);
    throw new InvalidOptionsError(
      `${source}: ${metadata.name} has no column "${path}" for a key. ` +
        `It has: ${known.map(({ propertyPath }) => propertyPath).join(', ')}`,
    );
  }
  if (column.isNullable) {
    throw new InvalidOptionsError(
      `${source}: the key column "${path}" of ${metadata.name} is nullable, and rows with NULL would be lost. ` +
        'Make it NOT NULL, or choose a key of columns that are',
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
