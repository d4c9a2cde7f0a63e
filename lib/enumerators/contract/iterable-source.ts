import { type Cursor, isSameJson } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Enumerator, EnumeratorLike } from './enumerator.js';
import type { Page } from './page.js';
import type { Bounds, PageReader, Source } from './source.js';

/** A user's own iterable, which was built to start after the run's cursor. */
export class IterableSource<Item, C extends Cursor> implements Source<Item, C> {
  readonly size?: Source<Item, C>['size'];
  readonly fraction?: Source<Item, C>['fraction'];
  readonly halve?: Source<Item, C>['halve'];

  constructor(private readonly iterable: EnumeratorLike<Item, C>) {
    const enumerator = iterable as Enumerator<Item, C>;
    if (typeof enumerator.size === 'function') this.size = () => enumerator.size?.();
    if (typeof enumerator.fraction === 'function') this.fraction = enumerator.fraction.bind(enumerator);
    if (typeof enumerator.halve === 'function') this.halve = enumerator.halve.bind(enumerator);
  }

  read({ until }: Bounds<C>): PageReader<Item, C> {
    const reader = readIterable(this.iterable);
    if (until === null) return reader;
    let ended = false;
    return {
      async next() {
        const page = ended ? undefined : await reader.next();
        ended = page !== undefined && isSameJson(page.cursorAt(0), until);
        return page;
      },
      close: () => reader.close(),
    };
  }
}

/** A reader that is never throttled. */
interface IterableReader<Item, C extends Cursor> {
  next(): Page<Item, C> | undefined | Promise<Page<Item, C> | undefined>;
  close(): Promise<void>;
}

/**
 * A user's own iterable, one item per page. It is resumed only when the item before is finished, and its `finally` runs when
 * the run ends early.
 */
function readIterable<Item, C extends Cursor>(iterable: EnumeratorLike<Item, C>): IterableReader<Item, C> {
  let iterator: Iterator<readonly [Item, C]> | AsyncIterator<readonly [Item, C]> | undefined;
  let done = false;

  const page = (result: IteratorResult<readonly [Item, C]>): Page<Item, C> | undefined => {
    done = result.done === true;
    return done ? undefined : pageOf(result.value);
  };

  return {
    next() {
      if (done) return undefined;
      iterator ??= Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
      const result = iterator.next();
      return result instanceof Promise
        ? result.then(page)
        : isThenable(result)
          ? Promise.resolve(result).then(page)
          : page(result);
    },
    async close() {
      if (!done) await iterator?.return?.();
    },
  };
}

function isThenable(value: object): value is PromiseLike<never> {
  return typeof (value as { then?: unknown }).then === 'function';
}

function pageOf<Item, C extends Cursor>(pair: unknown): Page<Item, C> {
  if (!Array.isArray(pair) || pair.length !== 2) {
    throw new InvalidEnumeratorError(
      `The enumerator yielded ${describe(pair)}. It must yield [item, cursor], the cursor naming that item`,
    );
  }
  const [item, cursor] = pair as [Item, C];
  if (cursor === null) {
    throw new InvalidEnumeratorError(
      'The enumerator yielded an item with the cursor null, which means the beginning: each run would start there again. ' +
        'Yield [item, cursor], the cursor naming that item. For a queue without cursors use poll, and change its items in fetch',
    );
  }
  return { items: [item], cursorAt: asYielded(cursor), mutableCursors: typeof cursor === 'object' };
}

/** A generator may change the object that it yielded as a cursor, and yield it again. The item keeps its cursor. */
function asYielded<C extends Cursor>(cursor: C): () => C {
  if (typeof cursor !== 'object' || cursor === null) return () => cursor;
  const text = textOf(cursor);
  return () => (textOf(cursor) === text ? cursor : (JSON.parse(text) as C));
}

/** A cursor that JSON cannot hold is refused when it is read. */
function textOf(cursor: Cursor): string {
  try {
    return JSON.stringify(cursor) ?? 'null';
  } catch {
    return 'null';
  }
}
