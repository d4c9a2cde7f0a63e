import type { Cursor } from '../cursor.js';
import { describe } from '../describe.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { aFunction, check } from '../rules.js';
import {
  type Enumerator,
  type EnumeratorLike,
  isEnumeratorLike,
  SourceEnumerator,
  sourceLike,
  sourceOf,
} from './contract/index.js';

/** What is known of an iterable. */
export interface IterableOptions {
  /** How many items the whole job has, not only what is left. */
  size?: () => number | Promise<number>;
}

/**
 * What any sync or async iterable of `[item, cursor]` yields, with its own cursors. User code builds it to start after the
 * cursor. A generator is resumed when the item it yielded is finished. Its `finally` runs when a run ends early.
 */
export function iterableEnumerator<T, C extends Cursor>(
  iterable: EnumeratorLike<T, C>,
  options: IterableOptions = {},
): Enumerator<T, C> {
  const { size } = options;
  check('from', options, { size: aFunction });
  if (!isEnumeratorLike(iterable)) {
    throw new InvalidEnumeratorError(`from(${describe(iterable)}): give it an iterable of [item, cursor]`);
  }
  const enumerator = sourceOf(iterable);
  return size ? new SourceEnumerator(sourceLike(enumerator.source, { size }), enumerator.cursor) : enumerator;
}
