import type { Dialect } from '../../sql.dialect.js';

/** An entity's table as the database's catalogue has it. */
export interface Table {
  readonly dialect: Dialect;
  /** By their names, and by these in lower case; see {@link columnIn}. */
  readonly columns: ReadonlyMap<string, TableColumn>;
  /** Whether the database keeps the entity's primary key unique. */
  readonly isUnique: boolean;
  /** The settings of its connection, on MariaDB and MySQL. */
  readonly session?: Session;
}

/** The settings of a connection to MariaDB or MySQL on which the order of a key depends. */
export interface Session {
  readonly charsets: readonly string[];
  /** Whether the driver decodes the connection's texts wrongly: `mysql` takes all of them for UTF-8. */
  readonly misreadsTexts: boolean;
  readonly maxSortLength: number;
  readonly version: string;
}

export interface TableColumn {
  /** Whether it may hold NULL; undefined: the database does not know, as for a view. */
  readonly nullable: boolean | undefined;
  /** Its type as the table declares it: `numeric(12,2)`. */
  readonly declared: string;
  /** Its type without length, precision and domains; in SQLite its affinity. */
  readonly base: string;
  /** The name of its enum in a statement; PostgreSQL only. */
  readonly enumeration?: string;
  /** Whether its type is in a schema that is not in the session's search_path; PostgreSQL only. */
  readonly isFar?: boolean;
  /** The character set of its texts, if it has one. */
  readonly charset?: string;
  /** Whether trailing spaces count by its collation; MariaDB and MySQL only. */
  readonly isNoPad?: boolean;
}

/** A table to read from the catalogue. */
export interface TableQuery {
  readonly path: readonly string[];
  /** The entity's primary key. */
  readonly primary: readonly string[];
  quote(name: string): string;
  rows<Row>(sql: string, parameters: readonly unknown[]): Promise<readonly Row[]>;
}

export function columnIn({ columns }: Table, name: string): TableColumn | undefined {
  return columns.get(name) ?? columns.get(name.toLowerCase());
}

export function columnsBy<Row extends { readonly name: string }>(
  rows: readonly Row[],
  columnOf: (row: Row) => TableColumn,
): Table['columns'] {
  const columns = rows.map((row) => [row.name, columnOf(row)] as const);
  return new Map([...columns.map(([name, column]) => [name.toLowerCase(), column] as const), ...columns]);
}

/** Whether a unique index of these columns keeps a primary key unique. */
export function isWithin(columns: readonly string[], primary: readonly string[]): boolean {
  const names = primary.map((name) => name.toLowerCase());
  return columns.every((column) => names.includes(column.toLowerCase()));
}
