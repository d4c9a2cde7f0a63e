import { columnsBy, type Table, type TableQuery } from './table.js';

const TYPE = `b.typname AS base, b.typtype AS kind, b.typcategory AS category,
    pg_catalog.format_type(b.oid, NULL) AS "baseName", pg_catalog.pg_type_is_visible(b.oid) AS "isVisible"`;
const IS_COLUMN = 'a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped';

/** With PostgreSQL's inheritance a parent shows the rows of its children, which its indexes do not include. */
const COLUMNS = `SELECT a.attname AS name, CASE WHEN c.relkind IN ('r', 'p') THEN NOT a.attnotnull END AS nullable,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared, ${TYPE},
    (c.relkind = 'p' OR NOT c.relhassubclass) AND EXISTS (SELECT FROM pg_catalog.pg_index i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid = c.oid
          AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND k.attname <> ALL ($2::text[]))) AS "isUnique"
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
  WHERE ${IS_COLUMN}`;

/** The base types of domains over domains. Only tables with domains need it, as its planning takes a millisecond. */
const DOMAINS = `WITH RECURSIVE domains AS (
    SELECT a.attname AS name, a.atttypid AS type FROM pg_catalog.pg_attribute a WHERE ${IS_COLUMN}
    UNION ALL
    SELECT d.name, b.typbasetype FROM domains d JOIN pg_catalog.pg_type b ON b.oid = d.type WHERE b.typtype = 'd')
  SELECT d.name, ${TYPE} FROM domains d JOIN pg_catalog.pg_type b ON b.oid = d.type WHERE b.typtype <> 'd'`;

interface Type {
  readonly name: string;
  readonly base: string;
  /** `b`ase, `c`omposite, `d`omain, `e`num, `r`ange or `m`ultirange. */
  readonly kind: string;
  readonly category: string;
  readonly baseName: string;
  readonly isVisible: boolean;
}

interface Row extends Type {
  readonly nullable: boolean | null;
  readonly declared: string;
  readonly isUnique: boolean;
}

export async function postgresTable({ path, primary, quote, rows }: TableQuery): Promise<Table | undefined> {
  const table = path.map(quote).join('.');
  const found = await rows<Row>(COLUMNS, [table, primary]);
  if (found.length === 0) return undefined;
  const types = found.some(({ kind }) => kind === 'd') ? await rows<Type>(DOMAINS, [table]) : found;
  const byName = new Map(types.map((type) => [type.name, type]));
  return {
    dialect: 'postgresql',
    columns: columnsBy(found, ({ name, nullable, declared, ...own }) => {
      const type = byName.get(name) ?? { name, ...own };
      return {
        nullable: nullable ?? undefined,
        declared,
        base: baseOf(type),
        enumeration: type.kind === 'e' ? type.baseName : undefined,
        isFar: !type.isVisible,
      };
    }),
    isUnique: found[0]?.isUnique === true,
  };
}

function baseOf({ base, kind, category }: Type): string {
  if (category === 'A') return 'array';
  return kind === 'r' || kind === 'm' ? 'range' : base;
}
