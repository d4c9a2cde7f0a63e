import { type Cursor, isSameJson } from '../cursor.js';
import {
  type EnumeratorLike,
  type Next,
  type PageReader,
  SourceEnumerator,
  sourceLike,
  sourceOf,
} from '../enumerators/contract/index.js';
import { isPromise } from '../is.promise.js';
import { withMethod } from './with.method.js';

/** An item that the source of a run has given. */
interface YieldedItem {
  readonly item: unknown;
  /** Read when it is asked for: an item costs no cursor. */
  readonly cursor: () => Cursor;
  /** The batch, if this item is half of one. */
  readonly of?: YieldedItem | undefined;
  tries: number;
  /** After its last try: an equal item that a handler is given is another one. */
  hasFailed?: boolean;
  /** From 0, in the order in which the job's items are first handled. */
  number?: number;
}

/** Knows the cursor and the number of each item that a handler is given. */
export class YieldedItems {
  /** Unfinished items of the current run. */
  #open: YieldedItem[] = [];
  /** Finished items of the current run. */
  #finished: YieldedItem[] = [];
  /** The items in flight, by the contexts of their handlers. */
  readonly #inFlight = new Map<object, YieldedItem>();
  /** The numbers of items by their job and cursor: a later run handles an unfinished item again. */
  readonly #numbers = new Map<string, number>();
  #count = 0;
  #job = '';

  beginRun(job: string): void {
    this.#job = job;
    this.#open = [];
    this.#finished = [];
    this.#inFlight.clear();
  }

  /** The same enumerator, watched. */
  watch(enumerator: EnumeratorLike<unknown>): EnumeratorLike<unknown> {
    const { cursor, source } = sourceOf(enumerator);
    const halve = source.halve?.bind(source);
    const watched = sourceLike(source, {
      read: (bounds) => this.#watchReader(source.read(bounds)),
      ...(halve && {
        halve: async (item: unknown, before: Cursor, at: Cursor) => {
          const halves = await halve(item, before, at);
          for (const [half, end] of halves ?? [])
            this.#open.push({ item: half, cursor: () => end, of: this.#find(item), tries: 0 });
          return halves;
        },
      }),
    });
    return new SourceEnumerator(watched, cursor);
  }

  /** The item that a handler is given: the same one at each try. Of equal items, the first that no other handler has. */
  take(item: unknown, context: object): YieldedItem {
    const held = this.#inFlight.get(context);
    if (held && !held.hasFailed && Object.is(held.item, item) && this.#open.includes(held)) return held;
    this.#inFlight.delete(context);
    const others = new Set(this.#inFlight.values());
    const found = this.#open.find((known) => Object.is(known.item, item) && !known.hasFailed && !others.has(known));
    const taken = found ?? { item, cursor: () => null, tries: 0 };
    this.#inFlight.set(context, taken);
    return taken;
  }

  numberOf(item: YieldedItem): number {
    if (item.of) return this.numberOf(item.of);
    item.number ??= this.#numberAt(item.cursor());
    return item.number;
  }

  finish(item: YieldedItem): void {
    const index = this.#open.indexOf(item);
    if (index >= 0) this.#open.splice(index, 1);
    this.#finished.push(item);
  }

  /** The last items are not finished after all: their transaction is rolled back. */
  reopen(count: number): void {
    if (count > 0) this.#open.unshift(...this.#finished.splice(-count));
    for (const item of this.#open) item.hasFailed = false; // each is handled once more
  }

  /** The item with this cursor was skipped. */
  skip(cursor: Cursor): void {
    this.#open = this.#open.filter((known) => known.of || !isSameJson(known.cursor(), cursor));
  }

  #find(item: unknown): YieldedItem | undefined {
    return this.#open.find((known) => Object.is(known.item, item));
  }

  /** Items of a queue without cursors are never given again. */
  #numberAt(cursor: Cursor): number {
    if (cursor === null) return this.#count++;
    const key = `${this.#job} ${JSON.stringify(cursor)}`;
    const number = this.#numbers.get(key) ?? this.#count++;
    this.#numbers.set(key, number);
    return number;
  }

  #watchReader(reader: PageReader<unknown>): PageReader<unknown> {
    const next = () => {
      const page = reader.next();
      return isPromise(page) ? Promise.resolve(page).then((read) => this.#note(read)) : this.#note(page);
    };
    return withMethod(reader, 'next', next);
  }

  #note(page: Next<unknown>): Next<unknown> {
    if (page && 'items' in page) {
      for (const [index, item] of page.items.entries())
        this.#open.push({ item, cursor: () => page.cursorAt(index), tries: 0 });
    }
    return page;
  }
}
