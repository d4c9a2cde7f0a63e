import type { Cursor } from '../../cursor.js';
import {
  isAt,
  isThrottled,
  type Next,
  type Page,
  type PageReader,
  type SourceEnumerator,
  type Throttled,
  Turns,
} from '../contract/index.js';
import type { NestedCursor, Place, Progress } from './cursor.js';
import { checkSameItem } from './fingerprint.js';
import { type OuterItem, OuterItems } from './outer.js';

/** What is nested, and where to begin and end. */
export interface NestedParts<Item> {
  /** The outer items behind a cursor; undefined for none. */
  outer(after: Cursor): Promise<SourceEnumerator<unknown> | undefined>;
  /** The items of an outer item behind a cursor; undefined for none. */
  inner(item: unknown, after: Cursor): Promise<SourceEnumerator<Item> | undefined>;
  readonly after: NestedCursor | null;
  readonly until: NestedCursor | null;
  /** Told of each item that can be halved, and of who can do it. */
  made(item: Item, by: SourceEnumerator<Item>): void;
}

/** The items of one outer item, and how far they are. */
interface Inner<Item> {
  readonly outer: OuterItem;
  readonly enumerator: SourceEnumerator<Item> | undefined;
  readonly reader: PageReader<Item>;
  /** Behind which cursor it was entered. */
  readonly from: Cursor;
  /** How many of its items the pages had so far. */
  finished: number;
  /** Whether it has given a page. */
  isRead: boolean;
}

const NOTHING: PageReader<never> = { ahead: true, next: () => undefined, close() {} };

/** Reads the items of one outer item after the other. */
export class NestedReader<Item> implements PageReader<Item> {
  #outer: OuterItems | undefined;
  #inner: Inner<Item> | undefined;
  #closed = false;

  constructor(private readonly parts: NestedParts<Item>) {}

  /** Not between two outer items: what the next one's are read from is not yet known. */
  get ahead(): boolean {
    return this.#outer?.ahead === true && this.#inner?.reader.ahead === true;
  }

  get consuming(): boolean {
    return this.#inner?.reader.consuming === true;
  }

  async next(): Promise<Next<Item>> {
    const paused = this.#outer ? undefined : await this.#begin();
    if (paused) return paused;
    while (!this.#closed) {
      const inner = this.#inner;
      if (!inner) {
        const next = await this.#outer?.next();
        if (!next || isThrottled(next)) return next;
        const entered = await this.#enter(next, null);
        // What may not be read ahead is asked for only when the items before it are finished.
        if (this.#outer?.ahead && !entered.reader.ahead) return passing(entered);
        continue;
      }
      const next = await inner.reader.next();
      if (next && isThrottled(next)) return next;
      if (next) return this.#handOut(inner, next);
      await this.#leave(inner);
      // The run sees that the source goes on, however many outer items have nothing.
      if (!inner.isRead) return passing(inner);
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const inner = this.#inner;
    this.#inner = undefined;
    await Promise.all([inner?.reader.close(), this.#outer?.close()]);
  }

  /** At the beginning, or in the outer item of the cursor; that item is gone when it is not found. */
  async #begin(): Promise<Throttled | undefined> {
    const { after } = this.parts;
    const until = this.parts.until?.outer.at ?? null;
    if (!after) {
      this.#outer = new OuterItems(await this.parts.outer(null), { after: null, finished: 0, until });
      return undefined;
    }
    const { at, finished } = after.outer;
    const rest = new OuterItems(await this.parts.outer(at), { after: at, finished: finished + 1, until });
    const found = await this.#find(after.outer, rest).catch(closing(rest));
    if (this.#closed || (found && isThrottled(found))) {
      await rest.close();
      return found && isThrottled(found) ? found : undefined;
    }
    this.#outer = rest;
    if (found) await this.#enter(found, after.inner);
    return undefined;
  }

  /**
   * The outer item of a cursor again; what came before it meanwhile lies behind. It is gone when the search comes to the
   * first of `rest`, which follows it.
   */
  async #find(place: Place, rest: OuterItems): Promise<OuterItem | Throttled | undefined> {
    const { after, at, finished } = place;
    const search = new OuterItems(await this.parts.outer(after), { after, finished, until: at });
    const turns = new Turns();
    try {
      for (let next = await search.next(); next && !this.#closed; next = await search.next()) {
        if (isThrottled(next)) return next;
        if (next.isAt(at)) {
          checkSameItem(place, next.place);
          return { ...next, place: { ...next.place, finished } };
        }
        const following = await rest.peek();
        if (following && isThrottled(following)) return following;
        if (following && next.isAt(following.place.at)) break;
        await turns.pass();
      }
      if (!this.#closed) checkSameItem(place, undefined);
      return undefined;
    } finally {
      await search.close();
    }
  }

  async #enter(outer: OuterItem, progress: Progress | null): Promise<Inner<Item>> {
    const { at = null, finished = 0 } = progress ?? {};
    const { until } = this.parts;
    const end = until && isSamePlace(outer, until.outer) ? until.inner.at : null;
    const enumerator = await this.parts.inner(outer.item, at);
    const reader = enumerator?.open({ until: end, finished }) ?? NOTHING;
    const inner = { outer, enumerator, reader, from: at, finished, isRead: progress !== null };
    if (this.#closed) await reader.close();
    else this.#inner = inner;
    return inner;
  }

  #handOut(inner: Inner<Item>, page: Page<Item>): Page<Item> {
    const { enumerator } = inner;
    if (enumerator?.halve) for (const item of page.items) this.parts.made(item, enumerator);
    return pageIn(inner, page);
  }

  async #leave(inner: Inner<Item>): Promise<void> {
    if (this.#inner !== inner) return; // closed meanwhile
    this.#inner = undefined;
    await inner.reader.close();
  }
}

function closing(rest: OuterItems): (error: unknown) => Promise<never> {
  return async (error) => {
    await rest.close();
    throw error;
  };
}

/** Whether a cursor's outer item is this one, also in a list that has changed. */
function isSamePlace(outer: OuterItem, named: Place): boolean {
  return outer.isAt(named.at) && (named.item === undefined || named.item === outer.place.item);
}

/** A page without items. */
function passing<Item>(inner: Inner<Item>): Page<Item> {
  return pageIn(inner, { items: [], cursorAt: () => inner.from });
}

function pageIn<Item>(inner: Inner<Item>, page: Page<Item>): Page<Item> {
  const { outer, finished } = inner;
  inner.isRead = true;
  inner.finished += page.items.length;
  return {
    items: page.items,
    cursorAt: (index): NestedCursor => ({
      outer: outer.place,
      inner: { at: page.cursorAt(index), finished: finished + index + 1 },
    }),
    aliased: page.aliased,
    positional: page.positional,
    isAt: (index, cursor) => {
      const named = cursor as NestedCursor;
      return isSamePlace(outer, named.outer) && isAt(page, index, named.inner.at);
    },
    ...(page.finished && { finished: async (index: number) => page.finished?.(index) }),
  };
}
