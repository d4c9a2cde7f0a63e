import { columnsBy, isWithin, type Table, type TableQuery } from './table.js';

/** A table without a schema is a temporary one, if there is one of its name. */
const COLUMNS = `SELECT c.name, c."notnull" = 0 AS nullable, c.pk, upper(c.type) AS type, t.type AS kind, t.wr, t.strict, t.schema
  FROM pragma_table_list(?) t JOIN pragma_table_xinfo(?, t.schema) c
  WHERE c.hidden <> 1 AND t.schema = coalesce(?, (SELECT l.schema FROM pragma_table_list(?) l
    ORDER BY l.schema <> 'temp', l.schema <> 'main' LIMIT 1))`;
const INDEXES = `SELECT group_concat(c.name, char(10)) AS columns
  FROM pragma_index_list(?, ?) i JOIN pragma_index_info(i.name, ?) c
  WHERE i."unique" = 1 AND i.partial = 0 GROUP BY i.name HAVING count(*) = count(c.name)`;

interface Row {
  readonly name: string;
  readonly nullable: unknown;
  /** Its place in the primary key, from 1. */
  readonly pk: unknown;
  readonly type: string;
  readonly kind: string;
  /** Whether the table is WITHOUT ROWID. */
  readonly wr: unknown;
  readonly strict: unknown;
  readonly schema: string;
}

export async function sqliteTable({ path, primary, rows }: TableQuery): Promise<Table | undefined> {
  const [name, schema] = [path.at(-1), path.at(-2) ?? null];
  const found = await rows<Row>(COLUMNS, [name, name, schema, name]);
  const [first] = found;
  if (!first) return undefined;
  const key = found.filter(({ pk }) => Number(pk) > 0);
  const isRowid = (row: Row) => key.length === 1 && Number(row.pk) === 1 && row.type === 'INTEGER';
  const isNeverNull = (row: Row) => isRowid(row) || (Number(row.pk) > 0 && Number(row.wr) === 1);
  const indexes = await rows<{ columns: string }>(INDEXES, [name, first.schema, first.schema]);
  return {
    dialect: 'sqlite',
    columns: columnsBy(found, (row) => ({
      nullable: row.kind === 'view' ? undefined : Boolean(Number(row.nullable)) && !isNeverNull(row),
      declared: row.type || 'of no type',
      base: affinityOf(row),
    })),
    isUnique:
      (key.length > 0 && isWithin(names(key), primary)) ||
      indexes.some(({ columns }) => isWithin(columns.split('\n'), primary)),
  };
}

function names(rows: readonly Row[]): readonly string[] {
  return rows.map(({ name }) => name);
}

/** By the rules of https://sqlite.org/datatype3.html#determination_of_column_affinity; REAL is as NUMERIC is. */
function affinityOf({ type, strict }: Row): string {
  if (type.includes('INT')) return 'INTEGER';
  if (/CHAR|CLOB|TEXT/.test(type)) return 'TEXT';
  if (type === '' || type.includes('BLOB') || (type === 'ANY' && Number(strict) === 1)) return 'NONE';
  return 'NUMERIC';
}
