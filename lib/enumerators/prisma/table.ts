import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { ModelClient, OpenedModel } from './client.js';
import { tableOf } from './sql.js';
import type { Offset } from './timestamp.js';

/** A column as the database's catalogue has it. */
export interface RealColumn {
  /** Its type by the database's own name, in lower case; `enum` of an enum of PostgreSQL. */
  readonly type: string;
  /** Its type as an error shows it. */
  readonly shown: string;
  /** Whether it may hold NULL; undefined: the database does not know, as for a view. */
  readonly nullable: boolean | undefined;
  /** For a time of at most three digits after the second. Undefined: it may have more, or Prisma may misread it. */
  readonly offset?: Offset | undefined;
  /** The labels of an enum in its order. */
  readonly labels?: readonly string[];
  /** How many characters its texts can have. */
  readonly length?: number;
  readonly collation?: string;
  readonly charset?: string;
  /** Whether every value has the declared type. SQLite ensures that only for some columns. */
  readonly strict?: boolean;
}

/** The columns of a model's table by name; undefined: the catalogue of this database is not known. */
export async function realColumns(opened: OpenedModel): Promise<ReadonlyMap<string, RealColumn> | undefined> {
  switch (opened.model.dialect) {
    case 'postgresql':
      return postgresColumns(opened);
    case 'mysql':
      return mySqlColumns(opened);
    case 'sqlite':
      return sqliteColumns(opened);
    case undefined:
      return undefined;
  }
}

const POSTGRES = `SELECT CAST(a.attname AS text) AS name, CAST(format_type(a.atttypid, a.atttypmod) AS text) AS shown,
    CASE WHEN t.typtype = 'e' THEN 'enum' ELSE CAST(t.typname AS text) END AS type,
    CASE WHEN c.relkind IN ('r', 'p') THEN NOT (a.attnotnull OR d.typnotnull) END AS nullable,
    CASE WHEN c.relkind IN ('r', 'p') THEN CASE d.typtype WHEN 'd' THEN d.typtypmod ELSE a.atttypmod END END AS digits,
    current_setting('TimeZone') AS zone,
    (SELECT CAST(json_agg(e.enumlabel ORDER BY e.enumsortorder) AS text) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type d ON d.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`;

async function postgresColumns(opened: OpenedModel): Promise<ReadonlyMap<string, RealColumn>> {
  const rows = await ask<PostgresRow>(opened.base, POSTGRES, tableOf(opened));
  return new Map(
    rows.map((row) => [
      row.name,
      {
        type: row.type,
        shown: row.shown,
        nullable: row.nullable ?? undefined,
        offset: offsetOf(row),
        ...(row.labels && { labels: JSON.parse(row.labels) as string[] }),
      },
    ]),
  );
}

/** Prisma reads and writes a `timestamptz` as if the session were in UTC. */
function offsetOf({ type, digits, zone }: PostgresRow): Offset | undefined {
  if (digits === null || digits < 0 || digits > DIGITS_OF_A_DATE) return undefined;
  if (type === 'timestamp') return '';
  return type === 'timestamptz' && UTC.test(zone) ? '+00:00' : undefined;
}

const DIGITS_OF_A_DATE = 3;
const UTC = /^(etc\/)?(utc|uct|gmt|universal|greenwich|zulu)$/i;

interface PostgresRow {
  readonly name: string;
  readonly type: string;
  readonly shown: string;
  readonly nullable: boolean | null;
  /** PostgreSQL's type modifier: the digits of a time after the second; -1: the most that are possible. */
  readonly digits: number | null;
  readonly zone: string;
  readonly labels: string | null;
}

const MYSQL = `SELECT CAST(c.COLUMN_NAME AS CHAR) AS name, LOWER(CAST(c.DATA_TYPE AS CHAR)) AS type,
    CAST(c.COLUMN_TYPE AS CHAR) AS shown, CAST(c.COLLATION_NAME AS CHAR) AS collation,
    CAST(c.CHARACTER_SET_NAME AS CHAR) AS charset, CAST(c.CHARACTER_MAXIMUM_LENGTH AS CHAR) AS length,
    CAST(c.IS_NULLABLE AS CHAR) AS nullable, CAST(t.TABLE_TYPE AS CHAR) AS kind,
    CAST(@@character_set_results AS CHAR) AS session, CAST(@@max_sort_length AS CHAR) AS sorted
  FROM information_schema.COLUMNS c JOIN information_schema.TABLES t
    ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
  WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = ?`;
const SORT_LENGTH = 1_024;

async function mySqlColumns({ base, model, source }: OpenedModel): Promise<ReadonlyMap<string, RealColumn>> {
  const rows = await ask<MySqlRow>(base, MYSQL, model.table.name);
  const [session] = rows;
  if (session && Number(session.sorted) < SORT_LENGTH) {
    throw new InvalidEnumeratorError(
      `${source}: max_sort_length is ${session.sorted}, so long texts are not in order. Set it to ${SORT_LENGTH} or more`,
    );
  }
  return new Map(
    rows.map((row) => [
      row.name,
      {
        type: row.type,
        shown: row.collation ? `${row.shown} COLLATE ${row.collation}` : row.shown,
        nullable: row.kind === 'VIEW' && row.nullable === 'YES' ? undefined : row.nullable === 'YES',
        ...(row.collation && { collation: row.collation }),
        ...(row.charset && row.session !== 'utf8mb4' && row.session !== row.charset && { charset: row.charset }),
        ...(row.length && { length: Number(row.length) }),
      },
    ]),
  );
}

interface MySqlRow {
  readonly name: string;
  readonly type: string;
  readonly shown: string;
  readonly collation: string | null;
  readonly charset: string | null;
  readonly length: string | null;
  readonly nullable: string;
  readonly kind: string;
  readonly session: string | null;
  readonly sorted: string;
}

const SQLITE = `SELECT CAST(c.name AS TEXT) AS name, CAST(c.type AS TEXT) AS shown, CAST(c."notnull" AS TEXT) AS required,
    CAST(c.pk AS TEXT) AS pk, CAST((SELECT count(*) FROM pragma_table_info(t.name, 'main') k WHERE k.pk > 0) AS TEXT) AS keys,
    CAST(t.type AS TEXT) AS kind, CAST(t.wr AS TEXT) AS wr, CAST(t.strict AS TEXT) AS strict
  FROM pragma_table_list(?) t JOIN pragma_table_info(t.name, 'main') c WHERE t.schema = 'main'`;

async function sqliteColumns({ base, model }: OpenedModel): Promise<ReadonlyMap<string, RealColumn>> {
  const rows = await ask<SqliteRow>(base, SQLITE, model.table.name);
  return new Map(
    rows.map((row) => {
      const isPrimary = row.pk !== '0';
      const isRowid = row.shown.toUpperCase() === 'INTEGER' && isPrimary && row.keys === '1' && row.wr === '0';
      const isNever = row.required === '1' || isRowid || (isPrimary && row.wr === '1');
      // a primary key of SQLite may hold NULL, which nobody expects: the values are checked
      const nullable = row.kind === 'view' || (isPrimary && !isNever) ? undefined : !isNever;
      return [
        row.name,
        { type: row.shown.toLowerCase(), shown: row.shown, nullable, strict: isRowid || row.strict === '1' },
      ];
    }),
  );
}

interface SqliteRow {
  readonly name: string;
  readonly shown: string;
  readonly required: string;
  readonly pk: string;
  readonly keys: string;
  readonly kind: string;
  readonly wr: string;
  readonly strict: string;
}

async function ask<Row>(client: ModelClient, sql: string, table: string): Promise<readonly Row[]> {
  return (await client.$queryRawUnsafe(sql, table)) as readonly Row[];
}
