import { createHash } from 'node:crypto';
import { SourceChangedError } from '../../iteration.errors.js';
import type { Place } from './cursor.js';

/**
 * Distinguishes an item of a list from the others: by its `id` where it is an object that has one, as its other columns may change
 * while it is handled, else by all that JSON holds of it. Undefined when JSON cannot hold it.
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
 * That the list still has the cursor's outer item at its place.
 *
 * @param found What stands there now; undefined for nothing.
 * @throws SourceChangedError (R9)
 */
export function checkSameItem({ at, item }: Place, found: Place | undefined): void {
  if (item === undefined || found?.item === item) return;
  throw new SourceChangedError(
    `nested: the list of an outer level was changed since the checkpoint: ${found ? 'another item' : 'no item'} stands at ` +
      `${JSON.stringify(at)}, where the outer item in progress stood, and which items are finished is not known. Give the outer ` +
      'level a source whose cursors name its items, such as from(), keyset or records. The processor\'s "onChange" decides ' +
      "what to do now; 'restart' starts again from the beginning",
  );
}

function idOf(item: unknown): unknown {
  const id = typeof item === 'object' && item !== null && 'id' in item ? item.id : undefined;
  return ['string', 'number', 'bigint'].includes(typeof id) ? { id } : undefined;
}
