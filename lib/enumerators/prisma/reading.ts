import type { Cursor } from '../../cursor.js';
import type { KeyColumn } from '../contract/index.js';
import type { OpenedModel } from './client.js';
import { withEnumOrders } from './enum.js';
import { ExactKeys } from './exact.js';
import { type KeyField, keyFields } from './key.js';
import { PrismaQuery } from './query.js';
import { checkCursor } from './value.js';

/** What is read, and in which order. */
export interface Reading {
  readonly query: PrismaQuery;
  /** The key, with its enums in the database's order. */
  key(): Promise<readonly KeyField[]>;
  /** How many values a cursor has. */
  readonly columns: number;
  /** Of a key with a DateTime. */
  readonly exact: ExactKeys | undefined;
}

/**
 * @param options.keysAlone Whether nothing but the key is read of a row.
 * @throws InvalidOptionsError for a key that would lose rows, and for arguments that the source itself sets.
 * @throws InvalidCursorError for a cursor that this key cannot have made.
 */
export function readingOf(
  opened: OpenedModel,
  args: object,
  options: { readonly key: readonly KeyColumn[]; readonly cursor: Cursor; readonly keysAlone?: boolean },
): Reading {
  const key = keyFields(opened, options.key);
  const exact = key.some(({ rounded }) => rounded) ? new ExactKeys(opened, key) : undefined;
  const fields = new Set([...key, ...(exact?.identity ?? [])].map(({ field }) => field.name));
  const query = new PrismaQuery(opened, args, { key, fields: [...fields], alone: options.keysAlone });
  checkCursor(query.name, key, options.cursor);
  return { query, key: () => withEnumOrders(opened, key), columns: key.length, exact };
}
