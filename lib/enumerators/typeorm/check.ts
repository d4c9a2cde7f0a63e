import { InvalidEnumeratorError } from '../../iteration.errors.js';
import { restrict } from './bounds.js';
import { databaseOf } from './database.js';
import { hasNull, type KeyPart } from './key.js';
import { copyOf, executorOf, mainOf, type Query } from './query.js';
import { type Table, type TableColumn, tableOf } from './table.js';

/** Where rows that the entity's decorators do not speak of could be lost. */
export interface Checked {
  /** Whether the database lets no two rows have one primary key. */
  readonly isUnique: boolean;
}

/**
 * Compares what the entity says of its key with what the database says, before the first page.
 *
 * @throws InvalidEnumeratorError for a key column that the table does not have, that can hold NULL and is not said to (of a
 * view and of a primary key only when it does hold NULL: those are looked for),
 * and for joins of a table whose primary key is not unique in the database.
 */
export async function checkTable(
  query: Query<unknown>,
  { key, name }: { key: readonly KeyPart[]; name: string },
): Promise<Checked> {
  const table = await tableOf(query);
  if (!table) return { isUnique: false };
  await checkColumns(query, { key, name, table });
  if (databaseOf(query.dataSource)?.name === 'mariadb') await checkSession(query, { key, name, table });
  if (!table.isUnique && query.expressionMap.joinAttributes.length > 0) {
    throw new InvalidEnumeratorError(
      `${name}: nothing in the database keeps the primary key of ${mainOf(query).metadata.name} unique, so two of its rows ` +
        'cannot be told from one that is joined twice. Add a primary key or a unique index, or do not join',
    );
  }
  return { isUnique: table.isUnique };
}

interface Looked {
  readonly key: readonly KeyPart[];
  readonly name: string;
  readonly table: Table;
}

async function checkColumns(query: Query<unknown>, { key, name, table }: Looked): Promise<void> {
  const { tablePath, primaryColumns } = mainOf(query).metadata;
  const unknown: KeyPart[] = [];
  for (const part of key) {
    const column = columnOf(table, part);
    if (!column) {
      throw new InvalidEnumeratorError(`${name}: the table ${tablePath} has no column "${part.column}" of the key`);
    }
    if (part.nulls || column.nullable === false) continue;
    if (column.nullable === undefined || primaryColumns.some(({ databaseName }) => databaseName === part.column)) {
      unknown.push(part);
      continue;
    }
    throw new InvalidEnumeratorError(
      `${name}: the key column "${part.name}" is NOT NULL in the entity, but not in the table ${tablePath}, and rows with ` +
        'NULL would be lost. Make it NOT NULL there, or say where NULLs stand: ' +
        `{ key: [{ column: '${part.name}', order: 'asc', nulls: 'last' }] }`,
    );
  }
  for (const part of unknown) {
    const nulls = restrict(copyOf(query).select('1', 'one'), `${part.sql} IS NULL`);
    const found = await nulls.orderBy().setOption('disable-global-order').limit(1).getRawMany();
    if (found.length > 0) throw hasNull(part.name, name);
  }
}

/** Texts that the connection cannot carry would come back changed. */
async function checkSession(query: Query<unknown>, { key, name, table }: Looked): Promise<void> {
  const [session] = (await executorOf(query).query(
    'SELECT @@character_set_results AS charset, @@max_sort_length AS sorted',
  )) as readonly { readonly charset: string | null; readonly sorted: unknown }[];
  for (const part of key) {
    const { charset, isUnpaddedChar } = columnOf(table, part) as TableColumn;
    if (isUnpaddedChar) {
      throw new InvalidEnumeratorError(
        `${name}: the key column "${part.name}" is a CHAR with a NO PAD collation, which MariaDB sorts with its trailing ` +
          'spaces and compares without them. Make it a VARCHAR, or choose another key column',
      );
    }
    if (!charset || session?.charset === 'utf8mb4' || session?.charset === charset) continue;
    throw new InvalidEnumeratorError(
      `${name}: the key column "${part.name}" is stored in ${charset}, and the connection's character set is ` +
        `${session?.charset}, which changes some texts. Set charset: 'utf8mb4' in the options of the DataSource`,
    );
  }
  if (Number(session?.sorted) >= SORT_LENGTH) return;
  throw new InvalidEnumeratorError(
    `${name}: max_sort_length is ${String(session?.sorted)}, so long texts are not in order. Set it to ${SORT_LENGTH} or more`,
  );
}

const SORT_LENGTH = 1_024;

function columnOf({ columns }: Table, { column }: KeyPart): TableColumn | undefined {
  return columns.get(column.toLowerCase());
}
