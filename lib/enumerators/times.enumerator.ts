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

/** The numbers 0 to `count` - 1; the cursor is the number. */
export function timesEnumerator(count: number, options: At): Enumerator<number, number> {
  checkOptions(options, ['cursor'], 'times');
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new InvalidOptionsError(`times(${count}): give it a whole number, 0 or more`);
  }
  return new SourceEnumerator(new TimesSource(count), indexCursor(options.cursor));
}

const PAGE_SIZE = 1_000;

class TimesSource implements Source<number, number> {
  constructor(private readonly length: number) {}

  read({ after, until }: Bounds<number>): PageReader<number, number> {
    const end = until === null ? this.length : Math.min(until + 1, this.length);
    let next = after === null ? 0 : after + 1;
    return {
      ahead: true,
      next() {
        if (next >= end) return undefined;
        const start = next;
        next = Math.min(start + PAGE_SIZE, end);
        const items: number[] = [];
        for (let item = start; item < next; item++) items.push(item);
        return { items, cursorAt: (index) => start + index };
      },
      close() {},
    };
  }

  size(): number {
    return this.length;
  }

  count(cursor: number): number {
    return cursor + 1;
  }
}
