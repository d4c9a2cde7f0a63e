import type { Dialect } from '../../sql.dialect.js';

/** What the database itself says of an entity's table. */
export interface Table {
  readonly dialect: Dialect;
  /** By their names, and by these in lower case; see {@link columnIn}. */
  readonly columns: ReadonlyMap<string, TableColumn>;
  /** Whether it lets no two rows have one primary key of the entity. */
  readonly isUnique: boolean;
  /** How its connection is set, on MariaDB and MySQL. */
  readonly session?: Session;
}

/** What the order of a key depends on in a connection to MariaDB or MySQL. */
export interface Session {
  readonly charsets: readonly string[];
  readonly maxSortLength: number;
  readonly version: string;
}

export interface TableColumn {
  /** Whether it may hold NULL; undefined: the database does not know, as of a view. */
  readonly nullable: boolean | undefined;
  /** Its type in the words of the table: `numeric(12,2)`. */
  readonly declared: string;
  /** Its type without length, precision and domains; in SQLite its affinity. */
  readonly base: string;
  /** The enum it is of, as a statement names it; PostgreSQL only. */
  readonly enumeration?: string;
  /** Whether its type is one of a schema that the session does not search; PostgreSQL only. */
  readonly isFar?: boolean;
  /** The character set of its texts, where it has one of its own. */
  readonly charset?: string;
  /** Whether trailing spaces count by its collation; MariaDB and MySQL only. */
  readonly isNoPad?: boolean;
}

/** Where a table is asked for. */
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
