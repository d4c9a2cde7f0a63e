import type { Cursor } from '../../cursor.js';
import { type KeyColumn, type KeyValues, keyValues, type Reads } from '../contract/index.js';
import { checkedKey } from './check.js';
import type { OpenedModel } from './client.js';
import { ExactKeys, identityOf } from './exact.keys.js';
import { isDeclaredFiner, type KeyField, keyFields } from './key.js';
import { PrismaQuery } from './query.js';
import { checkCursor, cursorValues } from './value.js';

/** The queries of a source, and its key. */
export interface Reading {
  readonly query: PrismaQuery;
  /** The key as the database has it. The database is asked once. */
  checked(): Promise<CheckedKey>;
  /** Refuses a cursor of another key. */
  readonly reads: Reads<Cursor>;
  /** How many values a cursor has. */
  readonly columns: number;
  /** For a delegate that may be extended: the identity of its rows, and their keys by the client without extensions. */
  readonly extended?: { readonly identity: ExactKeys; readonly keys: PrismaQuery };
}

export interface CheckedKey {
  readonly key: readonly KeyField[];
  /** For a key with times that a Date does not hold. */
  readonly exact: ExactKeys | undefined;
}

/**
 * @param options.given The cursors that are read between: what is finer than the model says is then exact too.
 * @param options.keysAlone Whether only the key is read of a row.
 * @throws InvalidOptionsError for a key that would lose rows, and for arguments that the source itself sets.
 */
export function readingOf(
  opened: OpenedModel,
  args: object,
  options: { readonly key: readonly KeyColumn[]; readonly given: readonly Cursor[]; readonly keysAlone?: boolean },
): Reading {
  const key = keyFields(opened, options.key);
  const hasTimes = key.some(({ rounded }) => rounded);
  const isIdentified = opened.isExtended || key.some(isDeclaredFiner);
  const identity = isIdentified ? new ExactKeys(opened, key) : undefined;
  const identifying = isIdentified || hasTimes ? (identityOf(opened) ?? []) : [];
  const fields = [...new Set([...key, ...identifying].map(({ field }) => field.name))];
  const query = new PrismaQuery(opened, args, { key, fields, alone: options.keysAlone });
  let checked: CheckedKey | undefined;
  return {
    query,
    async checked() {
      checked ??= await checkedOf(opened, key, { isRead: !options.keysAlone, given: options.given.map(cursorValues) });
      return checked;
    },
    columns: key.length,
    reads: {
      name: query.name,
      cursor(value) {
        checkCursor(query.name, key, value);
        keyValues(value, { name: query.name, columns: key.length });
        return value;
      },
    },
    ...(opened.isExtended && identity && { extended: { identity, keys: keysOf(opened, args, { key, fields }) } }),
  };
}

async function checkedOf(
  opened: OpenedModel,
  fields: readonly KeyField[],
  options: { readonly isRead: boolean; readonly given: readonly KeyValues[] },
): Promise<CheckedKey> {
  const key = await checkedKey(opened, fields, options);
  return { key, exact: key.some(({ rounded }) => rounded) ? new ExactKeys(opened, key) : undefined };
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
