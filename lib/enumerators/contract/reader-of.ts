import type { Cursor } from '../../cursor.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { EnumeratorLike } from './enumerator.js';
import { type Page, type PageReader, SourceEnumerator } from './source.js';

/** The pages of anything that `@BuildEnumerator` may return. */
export function readerOf<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>): PageReader<Item, C> {
  return enumerator instanceof SourceEnumerator ? enumerator.read() : readIterable(enumerator);
}

export function isEnumeratorLike(value: unknown): value is EnumeratorLike<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

/**
 * A user's own iterable, a page an item: it is resumed only when the item before is finished, and its `finally` runs
 * when the run ends early.
 */
export function readIterable<Item, C extends Cursor>(iterable: EnumeratorLike<Item, C>): PageReader<Item, C> {
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
      `The enumerator yielded ${describe(pair)}; it must yield [item, cursor], the cursor naming that item`,
    );
  }
  const [item, cursor] = pair as [Item, C];
  return { items: [item], cursorAt: asYielded(cursor) };
}

/** A generator may change the object that it yielded as a cursor, and yield it again: the item keeps its own. */
function asYielded<C extends Cursor>(cursor: C): () => C {
  if (typeof cursor !== 'object' || cursor === null) return () => cursor;
  const text = textOf(cursor);
  return () => (textOf(cursor) === text ? cursor : (JSON.parse(text) as C));
}

/** What JSON cannot hold is refused when the cursor is looked at. */
function textOf(cursor: Cursor): string {
  try {
    return JSON.stringify(cursor) ?? 'null';
  } catch {
    return 'null';
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? `a ${value.constructor?.name ?? 'object'}` : String(value);
}
