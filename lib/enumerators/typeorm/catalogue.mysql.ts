import { columnsBy, isWithin, type Table, type TableQuery } from './table.js';

const IS_TABLE = 'TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?';
const COLUMNS = `SELECT COLUMN_NAME AS name, IS_NULLABLE AS nullable, COLUMN_TYPE AS declared, DATA_TYPE AS base,
    CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation, @@character_set_client AS client,
    @@character_set_connection AS connection, @@character_set_results AS results, @@max_sort_length AS sorted,
    VERSION() AS version, CONVERT(X'C3A4' USING utf8mb4) AS umlaut
  FROM information_schema.COLUMNS WHERE ${IS_TABLE}`;
const INDEXES = `SELECT GROUP_CONCAT(COLUMN_NAME SEPARATOR '\\n') AS columns
  FROM information_schema.STATISTICS WHERE ${IS_TABLE} AND NON_UNIQUE = 0 GROUP BY INDEX_NAME`;

interface Row {
  readonly name: string;
  readonly nullable: string;
  readonly declared: string;
  readonly base: string;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly client: string;
  readonly connection: string;
  readonly results: string | null;
  readonly sorted: unknown;
  readonly version: string;
  readonly umlaut: string;
}

/** Reads the catalogue of MariaDB or MySQL. */
export async function mariaDbTable({ path, primary, rows }: TableQuery): Promise<Table | undefined> {
  const table = [path.at(-2) ?? null, path.at(-1)];
  const found = await rows<Row>(COLUMNS, table);
  const [first] = found;
  if (!first) return undefined;
  const indexes = await rows<{ columns: string }>(INDEXES, table);
  return {
    dialect: 'mysql',
    columns: columnsBy(found, ({ nullable, declared, base, charset, collation }) => ({
      nullable: nullable === 'YES',
      declared: String(declared),
      base: base.toLowerCase(),
      charset: charset ?? undefined,
      isNoPad: /nopad|_0900_/.test(collation ?? ''),
    })),
    isUnique: indexes.some(({ columns }) => isWithin(columns.split('\n'), primary)),
    session: {
      charsets: [first.client, first.connection, first.results ?? 'binary'],
      misreadsTexts: first.umlaut !== 'ä',
      maxSortLength: Number(first.sorted),
      version: first.version,
    },
  };
}
