import { InvalidOptionsError } from '../iteration.errors.js';
import {
  type At,
  type Bounds,
  checkOptions,
  type Enumerator,
  indexCursor,
  type PageReader,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

/** The items of an array in memory; the cursor is the index. */
export function arrayEnumerator<T>(items: readonly T[], options: At): Enumerator<T, number> {
  checkOptions(options, ['cursor'], 'array');
  if (!Array.isArray(items)) throw new InvalidOptionsError(`array(${String(items)}): give it an array`);
  return new SourceEnumerator(new ArraySource(items), indexCursor(options.cursor));
}

/** Large enough for pages to cost nothing, small enough to copy between two turns of the event loop. */
const PAGE_SIZE = 10_000;

class ArraySource<T> implements Source<T, number> {
  constructor(private readonly items: readonly T[]) {}

  /** Cut page by page: a copy of all that is left would stop the event loop, and double the memory. */
  read({ after, until }: Bounds<number>): PageReader<T, number> {
    const { items } = this;
    const end = until === null ? Number.POSITIVE_INFINITY : until + 1;
    let next = after === null ? 0 : after + 1;
    return {
      ahead: true,
      next() {
        const start = next;
        next += PAGE_SIZE;
        const page = items.slice(start, Math.min(next, end));
        if (page.length === 0) return undefined;
        return { items: page, cursorAt: (index) => start + index, positional: true };
      },
      close() {},
    };
  }

  size(): number {
    return this.items.length;
  }

  count(cursor: number): number {
    return cursor + 1;
  }
}
