import { InvalidOptionsError } from '../../iteration.errors.js';
import type { At } from './enumerator.js';

/** How a source over rows is ordered and paged. */
export interface KeysetOptions extends At {
  /**
   * Columns in order, ascending by default. The whole primary key is added when it is not among them.
   * A column that may be NULL needs `nulls`: `{ column, order, nulls: 'first' | 'last' }`. Default: the primary key.
   */
  key?: string | readonly (string | KeyColumn)[];
  /** Rows per query. Default 1000; for batches, `batchSize`. */
  pageSize?: number;
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
const OPTIONS = ['cursor', 'key', 'pageSize'];
const BATCH_OPTIONS = [...OPTIONS, 'batchSize'];
const COLUMN_OPTIONS = ['column', 'order', 'nulls'];

/** The options with their defaults. An empty `key` means the primary key. */
export interface ResolvedKeyset {
  readonly key: readonly KeyColumn[];
  readonly pageSize: number;
}

/**
 * @param source What the options are for, for error messages: `typeorm.records`.
 * @throws InvalidOptionsError for an option that is unknown, of the wrong type, or out of range.
 */
export function resolveKeysetOptions(options: KeysetOptions, source: string): ResolvedKeyset {
  checkOptions(options, OPTIONS, source);
  const { key, pageSize = DEFAULT_ROWS } = options;
  return { key: keyColumns(key, source), pageSize: count(pageSize, 'pageSize', source) };
}

/** As {@link resolveKeysetOptions}, for a source over batches. */
export function resolveBatchOptions(
  options: BatchOptions,
  source: string,
): ResolvedKeyset & { readonly batchSize: number } {
  checkOptions(options, BATCH_OPTIONS, source);
  const { key, batchSize = options.pageSize ?? DEFAULT_ROWS, pageSize = batchSize } = options;
  return {
    key: keyColumns(key, source),
    batchSize: count(batchSize, 'batchSize', source),
    pageSize: count(pageSize, 'pageSize', source),
  };
}

/** @throws InvalidOptionsError for anything but a whole number from 1. */
export function count(value: unknown, name: string, source: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
  throw new InvalidOptionsError(`${source}: ${name} is ${show(value)}; it must be a whole number from 1`);
}

/** @throws InvalidOptionsError for options without a cursor, and for unknown ones. */
export function checkOptions(options: At, known: readonly string[], source: string): void {
  if (typeof options !== 'object' || options === null || options.cursor === undefined) {
    throw new InvalidOptionsError(
      `${source}: no cursor is given. Pass on the cursor that the processor's build method receives: { cursor }`,
    );
  }
  refuseUnknown(options, known, source);
}

function keyColumns(key: KeysetOptions['key'], source: string): readonly KeyColumn[] {
  if (key === undefined) return [];
  const parts: readonly unknown[] = Array.isArray(key) ? key : [key];
  if (parts.length === 0) {
    throw new InvalidOptionsError(`${source}: key is empty. Name a column, or leave key out for the primary key`);
  }
  const columns = parts.map((part) => keyColumn(part, source));
  const names = columns.map(({ column }) => column);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidOptionsError(`${source}: key names the column "${twice}" twice`);
  return columns;
}

function keyColumn(part: unknown, source: string): KeyColumn {
  if (typeof part === 'object' && part !== null) refuseUnknown(part, COLUMN_OPTIONS, `${source}: key`);
  const { column, order, nulls } = (
    typeof part === 'string' ? { column: part, order: 'asc' } : (part ?? {})
  ) as KeyColumn;
  if (typeof column !== 'string' || column === '') {
    throw new InvalidOptionsError(
      `${source}: key contains ${show(part)}; each part must be a column's name, or { column: 'name', order: 'asc' | 'desc' }`,
    );
  }
  if (order !== 'asc' && order !== 'desc') {
    throw new InvalidOptionsError(
      `${source}: the order of key column "${column}" is ${show(order)}; use 'asc' or 'desc'`,
    );
  }
  if (nulls !== undefined && nulls !== 'first' && nulls !== 'last') {
    throw new InvalidOptionsError(
      `${source}: nulls of key column "${column}" is ${show(nulls)}; use 'first' or 'last'`,
    );
  }
  return { column, order, ...(nulls && { nulls }) };
}

/** @throws InvalidOptionsError for an option that is not among the known ones. */
export function refuseUnknown(options: object, known: readonly string[], where: string): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InvalidOptionsError(`${where} has no option "${unknown}". It has: ${known.join(', ')}`);
}

function show(value: unknown): string {
  return typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number'
      ? String(value)
      : (JSON.stringify(value) ?? String(value));
}
