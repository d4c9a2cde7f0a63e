import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { restrict } from './bounds.js';
import { tableOf } from './catalogue.js';
import { exactPart } from './exact.part.js';
import { hasNull } from './key.js';
import type { ExactPart, KeyPart } from './key.part.js';
import { mainOf, type Query } from './query.js';
import { columnIn, type Session, type Table, type TableColumn } from './table.js';
import { copyOf, dataSourceOf } from './typeorm.workarounds.js';

/** A key, with the types of its columns in the table. */
export interface ExactKey {
  readonly parts: readonly ExactPart[];
  /** Whether the database lets no two rows have one primary key. */
  readonly isUnique: boolean;
  /** The table in the catalogue; undefined: the catalogue does not show it. */
  readonly table: Table | undefined;
}

/**
 * Reads the real types of a key's columns from the database, once, before the first page.
 *
 * @throws InvalidEnumeratorError for a key column that the table does not have, or that may hold NULL without a position for
 * its NULLs. In a view and in a primary key only existing NULLs count: the rows are checked. Also for joins of a table whose
 * primary key is not unique in the database, and for a connection that changes or does not sort some values.
 * @throws InvalidOptionsError for a key column of a type that cannot be paged exactly.
 */
export async function exactKey(
  query: Query<unknown>,
  { key, name }: { key: readonly KeyPart[]; name: string },
): Promise<ExactKey> {
  const table = await tableOf(query);
  for (const part of key) if (table) columnOf(part, { table, name, query });
  const database = dataSourceOf(query).driver.options.type;
  const parts = key.map((part) => exactPart(part, { table, database, name }));
  for (const part of parts) if (table?.session) checkSession(part, { table, session: table.session, name });
  await checkNulls(query, { parts, table, name });
  const isUnique = table?.isUnique === true;
  if (!isUnique && query.expressionMap.joinAttributes.length > 0) {
    throw new InvalidEnumeratorError(
      `${name}: nothing in the database keeps the primary key of ${mainOf(query).metadata.name} unique, so two of its rows ` +
        'cannot be distinguished from one that is joined twice. Add a primary key or a unique index, or do not join',
    );
  }
  return { parts, isUnique, table };
}

function columnOf(
  { column }: KeyPart,
  { table, name, query }: { table: Table; name: string; query: Query<unknown> },
): TableColumn {
  const found = columnIn(table, column);
  if (found) return found;
  const { tablePath } = mainOf(query).metadata;
  throw new InvalidEnumeratorError(`${name}: the table ${tablePath} has no column "${column}" of the key`);
}

async function checkNulls(
  query: Query<unknown>,
  { parts, table, name }: { parts: readonly ExactPart[]; table: Table | undefined; name: string },
): Promise<void> {
  const { tablePath, primaryColumns } = mainOf(query).metadata;
  const unknown: ExactPart[] = [];
  for (const part of parts) {
    const nullable = table && columnIn(table, part.column)?.nullable;
    if (part.nulls || nullable === false) continue;
    if (nullable === undefined || primaryColumns.some(({ databaseName }) => databaseName === part.column)) {
      unknown.push(part);
      continue;
    }
    throw new InvalidEnumeratorError(
      `${name}: the key column "${part.name}" is NOT NULL in the entity, but not in the table ${tablePath}, and rows with ` +
        'NULL would be lost. Make it NOT NULL there, or state the position of NULLs: ' +
        `{ key: [{ column: '${part.name}', order: 'asc', nulls: 'last' }] }`,
    );
  }
  for (const part of unknown) {
    const nulls = restrict(copyOf(query).select('1', 'one'), `${part.sql} IS NULL`);
    const found = await nulls.orderBy().setOption('disable-global-order').limit(1).getRawMany();
    if (found.length > 0) throw hasNull(part.name, name);
  }
}

/** The connection must not change texts, and must sort them by at least as many bytes as keys may have. */
function checkSession(
  part: ExactPart,
  { table, session, name }: { table: Table; session: Session; name: string },
): void {
  const { charset } = columnIn(table, part.column) as TableColumn;
  const narrow = session.charsets.find((used) => used !== 'utf8mb4' && used !== charset);
  if (charset && narrow !== undefined) {
    throw new InvalidEnumeratorError(
      `${name}: the key column "${part.name}" (${part.declared} in the entity, ${part.type} in the table) is stored in ` +
        `${charset}, and the connection's character set is ${narrow}, which changes some texts. ` +
        "Set charset: 'utf8mb4' in the options of the DataSource",
    );
  }
  if (charset && session.misreadsTexts) {
    throw new InvalidEnumeratorError(
      `${name}: the key column "${part.name}" is a text, and the driver misreads texts in ${session.charsets.at(-1)}, the ` +
        "connection's character set. Set charset: 'utf8mb4' in the options of the DataSource",
    );
  }
  if (session.maxSortLength >= SORT_LENGTH) return;
  throw new InvalidEnumeratorError(
    `${name}: max_sort_length is ${session.maxSortLength}, so long texts are not in order. Set it to ${SORT_LENGTH} or more`,
  );
}

const SORT_LENGTH = 1_024;
