import type { Json } from '../../cursor.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import { check, count, nonEmptyString, oneOf, type Rule, type Rules, required } from '../../rules.js';
import type { At } from './enumerator.js';
import { checkPartitions, type PartitionOptions } from './partitions.js';

/** How a source over rows is ordered and paged. */
export interface KeysetOptions extends At {
  /**
   * Columns in order, ascending by default. The whole primary key is added when it is not among them.
   * A column that may be NULL needs `nulls`: `{ column, order, nulls: 'first' | 'last' }`. Default: the primary key.
   */
  key?: string | readonly (string | KeyColumn)[];
  /** Rows per query. Default 1000; for batches, `batchSize`. */
  pageSize?: number;
  /** A part that `partitions` of the same query and key returned: only its rows are read. Default: all rows. */
  range?: Json;
}

/** How a source over batches of rows is ordered and cut. */
export interface BatchOptions extends KeysetOptions {
  /** Rows per batch; the last batch may have fewer. Default 1000. */
  batchSize?: number;
}

/** One column of a key, and its direction. */
export interface KeyColumn {
  readonly column: string;
  readonly order: 'asc' | 'desc';
  /** Where rows with NULL are ordered, whatever the database's own order is. */
  readonly nulls?: 'first' | 'last';
}

const DEFAULT_ROWS = 1000;

const COLUMN_RULES: Rules = {
  column: required(nonEmptyString),
  order: required(oneOf('asc', 'desc')),
  nulls: oneOf('first', 'last'),
};
const key: Rule = (value, where) => {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isKey = parts.every((part) =>
    typeof part === 'object' ? part !== null : nonEmptyString(part, where) === true,
  );
  if (parts.length === 0 || !isKey) return KEY;
  for (const part of parts) if (typeof part === 'object') check(where, part, COLUMN_RULES);
  return true;
};
const KEY =
  "a column's name, { column: 'name', order: 'asc' | 'desc' }, or an array of these; without it the key is the primary key";
const RULES: Rules = { cursor: () => true, key, pageSize: count, range: () => true };
const BATCH_RULES: Rules = { ...RULES, batchSize: count };

/** The options with their defaults. An empty `key` means the primary key. */
interface ResolvedKeyset {
  readonly key: readonly KeyColumn[];
  readonly pageSize: number;
}

/**
 * @param source What the options are for, for error messages: `typeorm.records`.
 * @throws InvalidOptionsError for an option that is unknown, of the wrong type, or out of range.
 */
export function resolveKeysetOptions(options: KeysetOptions, source: string): ResolvedKeyset {
  checkOptions(options, RULES, source);
  const { key, pageSize = DEFAULT_ROWS } = options;
  return { key: keyColumns(key, source), pageSize };
}

/** As {@link resolveKeysetOptions}, for a source over batches. */
export function resolveBatchOptions(
  options: BatchOptions,
  source: string,
): ResolvedKeyset & { readonly batchSize: number } {
  checkOptions(options, BATCH_RULES, source);
  const { key, batchSize = options.pageSize ?? DEFAULT_ROWS, pageSize = batchSize } = options;
  return { key: keyColumns(key, source), batchSize, pageSize };
}

/**
 * The key of `partitions`. An empty one means the primary key.
 *
 * @throws InvalidOptionsError as {@link resolveKeysetOptions}.
 */
export function resolvePartitionOptions(
  options: PartitionOptions & Pick<KeysetOptions, 'key'>,
  source: string,
): readonly KeyColumn[] {
  checkPartitions(options, source, { key });
  return keyColumns(options.key, source);
}

/**
 * @param known Each option with its rule, or only the names.
 * @throws InvalidOptionsError for options without a cursor, for unknown ones, and for those that their rules refuse.
 */
export function checkOptions(options: At, known: Rules | readonly string[], source: string): void {
  if (typeof options !== 'object' || options === null || options.cursor === undefined) {
    throw new InvalidOptionsError(
      `${source}: no cursor is given. Pass on the cursor that the processor's build method receives: { cursor }`,
    );
  }
  check(source, options, known);
}

function keyColumns(key: KeysetOptions['key'] = [], source: string): readonly KeyColumn[] {
  const parts = Array.isArray(key) ? (key as readonly (string | KeyColumn)[]) : [key as string];
  const columns = parts.map((part): KeyColumn => (typeof part === 'string' ? { column: part, order: 'asc' } : part));
  const names = columns.map(({ column }) => column);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidOptionsError(`${source}: key names the column "${twice}" twice`);
  return columns;
}
