import { databaseOf } from './database.js';
import { executorOf, mainOf, type Query } from './query.js';

/** What the database itself says of an entity's table. */
export interface Table {
  readonly columns: ReadonlyMap<string, TableColumn>;
  /** Whether it lets no two rows have one primary key of the entity. */
  readonly isUnique: boolean;
}

export interface TableColumn {
  /** Whether it may hold NULL; undefined: the database does not know, as of a view. */
  readonly nullable: boolean | undefined;
  /** The character set of its texts, where it has one of its own. */
  readonly charset?: string;
  /** Whether it is a CHAR that keeps trailing spaces for its order, but not for a comparison. */
  readonly isUnpaddedChar?: boolean;
}

/** Asks the catalogue, in one statement or two; undefined: it has no such table, or shows none. */
export async function tableOf(query: Query<unknown>): Promise<Table | undefined> {
  const { metadata } = mainOf(query);
  const path = metadata.tablePath.split('.');
  const primary = metadata.primaryColumns.map(({ databaseName }) => databaseName);
  switch (databaseOf(query.dataSource)?.name) {
    case 'postgres':
      return postgresTable(query, path, primary);
    case 'mariadb':
      return mariaDbTable(query, path, primary);
    case 'sqlite':
      return sqliteTable(query, path, primary);
    case undefined:
      return undefined;
  }
}

type Names = readonly string[];

/** A parent of PostgreSQL's own inheritance shows the rows of its children, which its indexes do not hold. */
const POSTGRES = `SELECT a.attname AS name, CASE WHEN c.relkind IN ('r', 'p') THEN NOT a.attnotnull END AS nullable,
    (c.relkind = 'p' OR NOT c.relhassubclass) AND EXISTS (SELECT FROM pg_catalog.pg_index i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid = c.oid
          AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND k.attname <> ALL ($2::text[]))) AS "isUnique"
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`;

async function postgresTable(query: Query<unknown>, path: Names, primary: Names): Promise<Table | undefined> {
  const name = path.map((part) => query.escape(part)).join('.');
  const rows = await rowsOf<Row & { isUnique: boolean }>(query, POSTGRES, [name, primary]);
  return rows.length > 0
    ? { columns: columnsOf(rows, ({ nullable }) => nullable ?? undefined), isUnique: rows[0]?.isUnique === true }
    : undefined;
}

async function mariaDbTable(query: Query<unknown>, path: Names, primary: Names): Promise<Table | undefined> {
  const table = [path.at(-2) ?? null, path.at(-1)];
  const isTable = 'TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?';
  const rows = await rowsOf<Row>(
    query,
    `SELECT COLUMN_NAME AS name, IS_NULLABLE = 'YES' AS nullable, CHARACTER_SET_NAME AS charset,
        DATA_TYPE = 'char' AND COLLATION_NAME LIKE '%nopad%' AS unpadded
      FROM information_schema.COLUMNS WHERE ${isTable}`,
    table,
  );
  if (rows.length === 0) return undefined;
  const indexes = await rowsOf<{ name: string; columns: string }>(
    query,
    `SELECT INDEX_NAME AS name, GROUP_CONCAT(COLUMN_NAME SEPARATOR '\\n') AS columns
      FROM information_schema.STATISTICS WHERE ${isTable} AND NON_UNIQUE = 0 GROUP BY INDEX_NAME`,
    table,
  );
  return {
    columns: columnsOf(rows, ({ nullable }) => Boolean(Number(nullable))),
    isUnique: indexes.some(({ columns }) => isWithin(columns.split('\n'), primary)),
  };
}

async function sqliteTable(query: Query<unknown>, path: Names, primary: Names): Promise<Table | undefined> {
  const [name, schema] = [path.at(-1), path.at(-2) ?? 'main'];
  const rows = await rowsOf<Row & { pk: number; type: string; kind: string; wr: number }>(
    query,
    `SELECT c.name, c."notnull" = 0 AS nullable, c.pk, upper(c.type) AS type, t.type AS kind, t.wr
      FROM pragma_table_list(?) t JOIN pragma_table_info(?, ?) c WHERE t.schema = ?`,
    [name, name, schema, schema],
  );
  if (rows.length === 0) return undefined;
  const key = rows.filter(({ pk }) => pk > 0);
  const isRowid = (row: (typeof rows)[number]) => key.length === 1 && row.pk === 1 && row.type === 'INTEGER';
  const indexes = await rowsOf<{ columns: string }>(
    query,
    `SELECT group_concat(c.name, char(10)) AS columns FROM pragma_index_list(?, ?) i JOIN pragma_index_info(i.name, ?) c
      WHERE i."unique" = 1 AND i.partial = 0 GROUP BY i.name HAVING count(*) = count(c.name)`,
    [name, schema, schema],
  );
  return {
    columns: columnsOf(rows, (row) =>
      row.kind === 'view' ? undefined : Boolean(row.nullable) && !isRowid(row) && !(row.pk > 0 && row.wr === 1),
    ),
    isUnique:
      (key.length > 0 &&
        isWithin(
          key.map(({ name }) => name),
          primary,
        )) ||
      indexes.some(({ columns }) => isWithin(columns.split('\n'), primary)),
  };
}

interface Row {
  readonly name: string;
  readonly nullable: unknown;
  readonly charset?: string | null;
  readonly unpadded?: unknown;
}

async function rowsOf<Found>(query: Query<unknown>, sql: string, parameters: unknown[]): Promise<readonly Found[]> {
  return (await executorOf(query).query(sql, parameters)) as readonly Found[];
}

function columnsOf<Found extends Row>(
  rows: readonly Found[],
  isNullable: (row: Found) => unknown,
): ReadonlyMap<string, TableColumn> {
  return new Map(
    rows.map((row) => [
      row.name.toLowerCase(),
      {
        nullable: isNullable(row) as boolean | undefined,
        charset: row.charset ?? undefined,
        isUnpaddedChar: Number(row.unpadded) === 1,
      },
    ]),
  );
}

function isWithin(columns: Names, primary: Names): boolean {
  const names = primary.map((name) => name.toLowerCase());
  return columns.every((column) => names.includes(column.toLowerCase()));
}
