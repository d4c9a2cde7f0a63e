import { isDeepStrictEqual } from 'node:util';
import type { Cursor } from '../cursor.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import {
  type Bounds,
  type Enumerator,
  type EnumeratorLike,
  isEnumeratorLike,
  type PageReader,
  readIterable,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

export interface IterableOptions {
  /** How many items the whole job has, not only what is left. */
  size?: () => number | Promise<number>;
}

/**
 * What any sync or async iterable of `[item, cursor]` yields, with its own cursors: the user built it to start behind
 * one. A generator is resumed when the item it yielded is finished; its `finally` runs when a run ends early.
 */
export function iterableEnumerator<T, C extends Cursor>(
  iterable: EnumeratorLike<T, C>,
  { size }: IterableOptions = {},
): Enumerator<T, C> {
  if (!isEnumeratorLike(iterable)) {
    throw new InvalidEnumeratorError(`from(${String(iterable)}): give it an iterable of [item, cursor]`);
  }
  return new SourceEnumerator(new IterableSource(iterable, size), null);
}

class IterableSource<T, C extends Cursor> implements Source<T, C> {
  readonly size?: Source<T, C>['size'];
  readonly halve?: Source<T, C>['halve'];

  constructor(
    private readonly iterable: EnumeratorLike<T, C>,
    size: IterableOptions['size'],
  ) {
    const enumerator = iterable as Enumerator<T, C>;
    if (size) this.size = size;
    else if (typeof enumerator.size === 'function') this.size = () => enumerator.size?.();
    if (typeof enumerator.halve === 'function') this.halve = enumerator.halve.bind(enumerator);
  }

  read({ until }: Bounds<C>): PageReader<T, C> {
    const reader = readIterable(this.iterable);
    if (until === null) return reader;
    let ended = false;
    return {
      async next() {
        const page = ended ? undefined : await reader.next();
        ended = page !== undefined && isDeepStrictEqual(page.cursorAt(0), until);
        return page;
      },
      close: () => reader.close(),
    };
  }
}
