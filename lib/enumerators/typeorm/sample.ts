import { isSameJson } from '../../cursor.js';
import type { KeyValues } from '../contract/index.js';
import { ordered, restrict } from './bounds.js';
import { databaseOf } from './database.js';
import { keyOf } from './key.js';
import type { ExactPart } from './key.part.js';
import { executorOf, mainOf, type Query } from './query.js';
import { copyOf, dataSourceOf } from './typeorm.workarounds.js';

/** A table of fewer pages is counted: 16 MB of pages of 8 KB. */
const LARGE_PAGES = 2_000;
/** How many pages are read, and how many keys of them. Rows of one page often have neighbouring keys, so pages count most. */
const PAGES = 4_000;
const PAGES_A_PART = 50;
const KEYS = 16_000;
const KEYS_A_PART = 100;
/** With fewer keys a part, the parts would be too uneven. */
const LEAST_KEYS = 25;
/** Of a table that was never analyzed. */
const USUAL_ROWS_A_PAGE = 50;

/** A parent table shows the rows of its children, whose places in their own files look the same. A view has no places. */
const TABLE = `SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int AS pages, c.reltuples
  FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind IN ('r', 'm') AND NOT c.relhassubclass`;

interface Sampling {
  readonly key: readonly ExactPart[];
  readonly count: number;
  readonly name: string;
}

/**
 * The keys that cut a large table of PostgreSQL into `count` parts of about the same number of rows, by the rows of some of
 * its pages. Undefined for other databases, small tables, and queries that match too few of these rows.
 */
export async function sampledKeys(
  query: Query<unknown>,
  sampling: Sampling,
): Promise<readonly KeyValues[] | undefined> {
  if (databaseOf(dataSourceOf(query))?.dialect !== 'postgresql') return undefined;
  const { key, count, name } = sampling;
  const table = mainOf(query)
    .metadata.tablePath.split('.')
    .map((part) => query.escape(part));
  const sample = await sampleOf(query, table.join('.'), count);
  if (!sample) return undefined;

  const place = `${query.escape(mainOf(query).name)}.ctid`;
  const rows = ordered(restrict(copyOf(query), `${place} = ANY (ARRAY(${sample}))`), key).select('1', 'one');
  if (rows.expressionMap.joinAttributes.length > 0) rows.groupBy(key.map(({ sql }) => sql).join(', '));
  for (const { sql, selection = sql, alias } of key) rows.addSelect(selection, alias);
  const found = (await executorOf(query).query(...rows.getQueryAndParameters())) as readonly unknown[];
  if (found.length < count * LEAST_KEYS) return undefined;
  return Array.from({ length: count - 1 }, (_, part) => {
    const last = Math.floor(((part + 1) * found.length) / count) - 1;
    return keyOf(key, found[last], name);
  }).filter((keys, index, all) => !isSameJson(keys, all[index - 1]));
}

/** SQL for the places of some rows of a table; undefined if it is not large. */
async function sampleOf(query: Query<unknown>, table: string, count: number): Promise<string | undefined> {
  const [found] = (await executorOf(query).query(TABLE, [table])) as readonly { pages: string; reltuples: number }[];
  const pages = Number(found?.pages ?? 0);
  if (!found || pages < LARGE_PAGES) return undefined;
  const read = Math.min(pages, Math.max(PAGES, count * PAGES_A_PART));
  const rowsAPage = found.reltuples > 0 ? found.reltuples / pages : USUAL_ROWS_A_PAGE;
  const share = Math.min(1, Math.max(KEYS, count * KEYS_A_PART) / (read * rowsAPage));
  const percent = (100 * read) / pages;
  return `SELECT s.ctid FROM ${table} s TABLESAMPLE SYSTEM (${percent}) WHERE random() < ${share}`;
}
