import { createHash } from 'node:crypto';
import { describe } from '../../describe.js';
import { SourceChangedError } from '../../iteration.errors.js';
import type { OuterPosition } from './cursor.js';

/**
 * Identifies an item of a list: by its `id`, where the item is an object that has one, because its other columns may change
 * while it is handled. Otherwise by its JSON. Undefined when JSON cannot hold the item.
 */
export function fingerprintOf(item: unknown): string | undefined {
  try {
    const text = JSON.stringify(idOf(item) ?? item, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
    return text === undefined ? undefined : createHash('sha256').update(text).digest('base64url').slice(0, 16);
  } catch {
    return undefined;
  }
}

/**
 * Checks that the list still has the cursor's outer item at its position.
 *
 * @param found The item there now; undefined for none.
 * @throws SourceChangedError (R9)
 */
export function checkSameItem({ at, item }: OuterPosition, found: OuterPosition | undefined): void {
  if (item === undefined || found?.item === item) return;
  throw new SourceChangedError(
    `nested: the list of an outer level was changed since the checkpoint: ${found ? 'another item' : 'no item'} is at ` +
      `${describe(at)} now, so it is unknown which items are finished. Give the outer level a source whose cursors name ` +
      'its items, such as from(), keyset or records. The processor\'s "onChange" decides what happens now; ' +
      "'restart' starts again from the beginning",
  );
}

function idOf(item: unknown): unknown {
  const id = typeof item === 'object' && item !== null && 'id' in item ? item.id : undefined;
  return ['string', 'number', 'bigint'].includes(typeof id) ? { id } : undefined;
}
