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

class ArraySource<T> implements Source<T, number> {
  constructor(private readonly items: readonly T[]) {}

  read({ after, until }: Bounds<number>): PageReader<T, number> {
    const start = after === null ? 0 : after + 1;
    const end = until === null ? this.items.length : until + 1;
    let items: readonly T[] | undefined =
      start === 0 && end >= this.items.length ? this.items : this.items.slice(start, end);
    return {
      ahead: true,
      next() {
        const page = items?.length ? { items, cursorAt: (index: number) => start + index } : undefined;
        items = undefined;
        return page;
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
