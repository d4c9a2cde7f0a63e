import { describe } from '../describe.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import {
  type At,
  type Bounds,
  checkOptions,
  checkPartitions,
  type Enumerator,
  enumeratorOf,
  evenSizes,
  indexCursor,
  type PageReader,
  type Part,
  type PartitionOptions,
  type PartOptions,
  partsBetween,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

/** The items of an array in memory. The cursor is the index. */
export function arrayEnumerator<T>(items: readonly T[], options: PartOptions): Enumerator<T, number> {
  checkOptions(options, ['cursor', 'range'], 'array');
  if (!Array.isArray(items)) throw new InvalidOptionsError(`array(${describe(items)}): give it an array`);
  return enumeratorOf(new IndexedSource<T>(items, true), options, { name: 'array', cursor: indexCursor });
}

/** The parts of an array, for the option `range`. */
export function slicesOf(items: readonly unknown[], options: PartitionOptions): Part<number>[] {
  checkPartitions(options, 'slices');
  if (!Array.isArray(items)) throw new InvalidOptionsError(`slices(${describe(items)}): give it an array`);
  let end = -1;
  const ends = evenSizes(items.length, options.count).map((size) => {
    end += size;
    return end;
  });
  return partsBetween(ends.slice(0, -1));
}

/** The numbers 0 to `count` - 1. The cursor is the number. */
export function timesEnumerator(count: number, options: At): Enumerator<number, number> {
  checkOptions(options, ['cursor'], 'times');
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new InvalidOptionsError(`times(${count}): give it a whole number, 0 or more`);
  }
  return new SourceEnumerator(new IndexedSource(numbersBelow(count)), indexCursor(options.cursor));
}

/** One item without a value: a step that is done, or not. */
export function onceEnumerator(options: At): Enumerator<undefined, number> {
  checkOptions(options, ['cursor'], 'once');
  return new SourceEnumerator(new IndexedSource([undefined]), indexCursor(options.cursor));
}

/** Large enough for pages to cost nothing, small enough to copy between two turns of the event loop. */
const PAGE_SIZE = 10_000;

type Sliceable<T> = Pick<readonly T[], 'length' | 'slice'>;

class IndexedSource<T> implements Source<T, number> {
  constructor(
    private readonly items: Sliceable<T>,
    private readonly positional = false,
  ) {}

  /** Cut page by page: a copy of all that is left would stop the event loop, and double the memory. */
  read({ after, until }: Bounds<number>): PageReader<T, number> {
    const { items: all, positional } = this;
    const end = until === null ? Number.POSITIVE_INFINITY : until + 1;
    let next = after === null ? 0 : after + 1;
    return {
      ahead: true,
      next: () => {
        const start = next;
        next += PAGE_SIZE;
        const items = all.slice(start, Math.min(next, end));
        // No spread: V8 would handle each item a quarter slower.
        return items.length === 0 ? undefined : { items, cursorAt: (index) => start + index, positional };
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

  compare(one: number, other: number): number {
    return one - other;
  }
}

function numbersBelow(count: number): Sliceable<number> {
  return {
    length: count,
    slice: (start = 0, end = count) => {
      const numbers: number[] = [];
      for (let number = start; number < Math.min(end, count); number++) numbers.push(number);
      return numbers;
    },
  };
}
