import type { Cursor } from '../../cursor.js';
import type { KeyColumn } from '../contract/index.js';
import { checkedKey } from './check.js';
import type { OpenedModel } from './client.js';
import { ExactKeys } from './exact.js';
import { type KeyField, keyFields } from './key.js';
import { PrismaQuery } from './query.js';
import { checkCursor } from './value.js';

/** What is read, and in which order. */
export interface Reading {
  readonly query: PrismaQuery;
  /** The key as the database has it, which is asked once. */
  key(): Promise<readonly KeyField[]>;
  /** How many values a cursor has. */
  readonly columns: number;
  /** Of a key with a DateTime. */
  readonly exact: ExactKeys | undefined;
  /** Of a delegate that may be extended: what its rows are found by, and their keys by the client without extensions. */
  readonly extended?: { readonly identity: ExactKeys; readonly keys: PrismaQuery };
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
  const hasMoments = key.some(({ rounded }) => rounded);
  const identity = hasMoments || opened.isExtended ? new ExactKeys(opened, key) : undefined;
  const fields = [...new Set([...key, ...(identity?.identity ?? [])].map(({ field }) => field.name))];
  const query = new PrismaQuery(opened, args, { key, fields, alone: options.keysAlone });
  checkCursor(query.name, key, options.cursor);
  let checked: readonly KeyField[] | undefined;
  const checkedOnce = async () => {
    checked ??= await checkedKey(opened, key, { isRead: !options.keysAlone });
    return checked;
  };
  return {
    query,
    key: checkedOnce,
    columns: key.length,
    exact: hasMoments ? identity : undefined,
    ...(opened.isExtended && identity && { extended: { identity, keys: keysOf(opened, args, { key, fields }) } }),
  };
}

/** The keys of the same rows, by the client without extensions. */
function keysOf(
  opened: OpenedModel,
  args: object,
  { key, fields }: { readonly key: readonly KeyField[]; readonly fields: readonly string[] },
): PrismaQuery {
  const { where } = args as { readonly where?: object };
  return new PrismaQuery(opened, where ? { where } : {}, { key, fields, alone: true, delegate: opened.plain });
}
