import type { Cursor } from '../../cursor.js';
import {
  EventLoopTurns,
  isAt,
  isThrottled,
  type Next,
  type Page,
  type PageReader,
  type SourceEnumerator,
  type Throttled,
} from '../contract/index.js';
import type { InnerPosition, NestedCursor, OuterPosition } from './cursor.js';
import { checkSameItem } from './fingerprint.js';
import { type OuterItem, OuterItems } from './outer.js';

/** Both levels, and where to start and end. */
interface NestedLevels<Item> {
  /** The outer items after a cursor; undefined for none. */
  outer(after: Cursor): Promise<SourceEnumerator<unknown> | undefined>;
  /** The items of an outer item after a cursor; undefined for none. */
  inner(item: unknown, after: Cursor): Promise<SourceEnumerator<Item> | undefined>;
  readonly after: NestedCursor | null;
  readonly until: NestedCursor | null;
  /** Called for each item that can be halved, with the enumerator that can halve it. */
  onHalvable(item: Item, enumerator: SourceEnumerator<Item>): void;
}

/** The items of one outer item, and how many of them were read. */
interface Inner<Item> {
  readonly outer: OuterItem;
  readonly enumerator: SourceEnumerator<Item> | undefined;
  readonly reader: PageReader<Item>;
  /** The cursor that its items start after. */
  readonly from: Cursor;
  /** How many of its items were read so far. */
  finished: number;
  /** Whether a page of it was read. */
  isRead: boolean;
}

const NOTHING: PageReader<never> = { ahead: true, next: () => undefined, close() {} };

/** Reads the items of each outer item in turn. */
export class NestedReader<Item> implements PageReader<Item> {
  #outer: OuterItems | undefined;
  #inner: Inner<Item> | undefined;
  #closed = false;

  constructor(private readonly levels: NestedLevels<Item>) {}

  /** False between two outer items: the source of the next one's items is not yet known. */
  get ahead(): boolean {
    return this.#outer?.ahead === true && this.#inner?.reader.ahead === true;
  }

  get destructiveRead(): boolean {
    return this.#inner?.reader.destructiveRead === true;
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
        // A source that may not be read ahead is read only when the items before it are finished.
        if (this.#outer?.ahead && !entered.reader.ahead) return passing(entered);
        continue;
      }
      const next = await inner.reader.next();
      if (next && isThrottled(next)) return next;
      if (next) return this.#handOut(inner, next);
      await this.#leave(inner);
      // The run sees that the source advances, however many outer items have no items.
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

  /** Starts at the beginning, or in the cursor's outer item. An outer item that is not found was removed. */
  async #begin(): Promise<Throttled | undefined> {
    const { after } = this.levels;
    const until = this.levels.until?.outer.at ?? null;
    if (!after) {
      this.#outer = new OuterItems(await this.levels.outer(null), { after: null, finished: 0, until });
      return undefined;
    }
    const { at, finished } = after.outer;
    const rest = new OuterItems(await this.levels.outer(at), { after: at, finished: finished + 1, until });
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
   * Finds the outer item of a cursor again. Items inserted before it are passed over. It was removed when the search reaches
   * the first item of `rest`, which comes after it.
   */
  async #find(position: OuterPosition, rest: OuterItems): Promise<OuterItem | Throttled | undefined> {
    const { after, at, finished } = position;
    const search = new OuterItems(await this.levels.outer(after), { after, finished, until: at });
    const turns = new EventLoopTurns();
    try {
      for (let next = await search.next(); next && !this.#closed; next = await search.next()) {
        if (isThrottled(next)) return next;
        if (next.isAt(at)) {
          checkSameItem(position, next.position);
          return { ...next, position: { ...next.position, finished } };
        }
        const following = await rest.peek();
        if (following && isThrottled(following)) return following;
        if (following && next.isAt(following.position.at)) break;
        await turns.pass();
      }
      if (!this.#closed) checkSameItem(position, undefined);
      return undefined;
    } finally {
      await search.close();
    }
  }

  async #enter(outer: OuterItem, start: InnerPosition | null): Promise<Inner<Item>> {
    const { at = null, finished = 0 } = start ?? {};
    const { until } = this.levels;
    const end = until && isSamePosition(outer, until.outer) ? until.inner.at : null;
    const enumerator = await this.levels.inner(outer.item, at);
    const reader = enumerator?.open({ until: end, finished }) ?? NOTHING;
    const inner = { outer, enumerator, reader, from: at, finished, isRead: start !== null };
    if (this.#closed) await reader.close();
    else this.#inner = inner;
    return inner;
  }

  #handOut(inner: Inner<Item>, page: Page<Item>): Page<Item> {
    const { enumerator } = inner;
    if (enumerator?.halve) for (const item of page.items) this.levels.onHalvable(item, enumerator);
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

/** Whether a cursor's outer item is this one, even in a list that has changed. */
function isSamePosition(outer: OuterItem, named: OuterPosition): boolean {
  return outer.isAt(named.at) && (named.item === undefined || named.item === outer.position.item);
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
      outer: outer.position,
      inner: { at: page.cursorAt(index), finished: finished + index + 1 },
    }),
    mutableCursors: page.mutableCursors,
    positional: page.positional,
    isAt: (index, cursor) => {
      const named = cursor as NestedCursor;
      return isSamePosition(outer, named.outer) && isAt(page, index, named.inner.at);
    },
    ...(page.ack && { ack: async (index: number) => page.ack?.(index) }),
  };
}
