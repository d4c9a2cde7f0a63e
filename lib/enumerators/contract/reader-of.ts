import type { Cursor } from '../../cursor.js';
import type { EnumeratorLike } from './enumerator.js';
import { IterableSource } from './iterable-source.js';
import type { RunReader } from './read-ahead.js';
import type { Bounds } from './source.js';
import { SourceEnumerator } from './source-enumerator.js';

/**
 * The pages of anything that `@BuildEnumerator` may return, for the code that handles the items.
 *
 * @param options `finished`: how many items the job has finished in its life.
 */
export function readerOf<Item, C extends Cursor>(
  enumerator: EnumeratorLike<Item, C>,
  options: Pick<Bounds, 'batchSize' | 'finished'> = {},
): RunReader<Item, C> {
  return sourceOf(enumerator).read(options);
}

/** The same items as a {@link SourceEnumerator}. A user's own iterable was built to start after the cursor. */
export function sourceOf<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>): SourceEnumerator<Item, C> {
  if (enumerator instanceof SourceEnumerator) return enumerator;
  return new SourceEnumerator(new IterableSource(enumerator), null);
}

export function isEnumeratorLike(value: unknown): value is EnumeratorLike<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}
