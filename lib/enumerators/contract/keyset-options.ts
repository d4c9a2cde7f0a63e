import { InvalidOptionsError } from '../../iteration.errors.js';
import type { At } from './enumerator.js';

/** How a source over rows is ordered and paged. */
export interface KeysetOptions extends At {
  /**
   * Columns in order, each ascending unless said; the primary key (all of it) is added when it is not among them.
   * Default: the primary key.
   */
  key?: string | readonly (string | KeyColumn)[];
  /** Rows a query. Default 1000. */
  pageSize?: number;
}

/** One column of a key, and its direction. */
export interface KeyColumn {
  readonly column: string;
  readonly order: 'asc' | 'desc';
}

const DEFAULT_PAGE_SIZE = 1000;
const OPTIONS = ['cursor', 'key', 'pageSize'];
const COLUMN_OPTIONS = ['column', 'order'];

/**
 * The options with their defaults; an empty `key` stands for the primary key.
 *
 * @param source What the options are for, for error messages: `typeorm.records`.
 * @throws InvalidOptionsError for an option that is unknown, of the wrong type, or out of range.
 */
export function resolveKeysetOptions(
  options: KeysetOptions,
  source: string,
): { readonly key: readonly KeyColumn[]; readonly pageSize: number } {
  if (typeof options !== 'object' || options === null || options.cursor === undefined) {
    throw new InvalidOptionsError(
      `${source}: no cursor is given. Pass on the one that the processor's build method gets: { cursor }`,
    );
  }
  refuseUnknown(options, OPTIONS, source);
  const { key, pageSize = DEFAULT_PAGE_SIZE } = options;
  if (!Number.isSafeInteger(pageSize) || pageSize < 1) {
    throw new InvalidOptionsError(`${source}: pageSize is ${show(pageSize)}; it must be a whole number from 1`);
  }
  return { key: key === undefined ? [] : keyColumns(key, source), pageSize };
}

function keyColumns(key: NonNullable<KeysetOptions['key']>, source: string): readonly KeyColumn[] {
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
  const { column, order } = (typeof part === 'string' ? { column: part, order: 'asc' } : (part ?? {})) as KeyColumn;
  if (typeof column !== 'string' || column === '') {
    throw new InvalidOptionsError(
      `${source}: key contains ${show(part)}; a part of it is a column's name, or { column: 'name', order: 'asc' | 'desc' }`,
    );
  }
  if (order !== 'asc' && order !== 'desc') {
    throw new InvalidOptionsError(
      `${source}: the order of key column "${column}" is ${show(order)}; use 'asc' or 'desc'`,
    );
  }
  return { column, order };
}

function refuseUnknown(options: object, known: readonly string[], where: string): void {
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
