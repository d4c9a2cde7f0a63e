import type { Cursor } from '../../cursor.js';
import type { Enumerator } from './enumerator.js';

/** A stretch of consecutive items. A cursor is made only when it is asked for, so an item costs no cursor. */
export interface Page<Item, C extends Cursor = Cursor> {
  readonly items: readonly Item[];
  cursorAt(index: number): C;
}

/** Hands out a source's pages in order. It is closed exactly once, also when a run ends early. */
export interface PageReader<Item, C extends Cursor = Cursor> {
  /** The next page, never empty; undefined at the end. */
  next(): Page<Item, C> | undefined | Promise<Page<Item, C> | undefined>;
  /** Releases what reading opened. Called once, and never while `next` is under way. */
  close(): void | Promise<void>;
}

/** Both ends of a stretch of a source; `null` means the source's own. */
export interface Bounds<C extends Cursor = Cursor> {
  /** Items begin behind this cursor. */
  readonly after: C | null;
  /** Items end with this cursor's, it included. */
  readonly until: C | null;
}

/** What a source implements: it can start behind any of its cursors and end at one. */
export interface Source<Item, C extends Cursor = Cursor> {
  /** A reader of the items within `bounds`; nothing is opened before its first `next`. */
  read(bounds: Bounds<C>): PageReader<Item, C>;
  /** How many items the whole source has, wherever it started; undefined = unknown. */
  size?(): Promise<number | undefined> | number | undefined;
  /** See {@link Enumerator.halve}. */
  halve?: Enumerator<Item, C>['halve'];
}

/** A {@link Source} that starts behind a cursor: the {@link Enumerator} that the builder's calls return. */
export class SourceEnumerator<Item, C extends Cursor = Cursor> implements Enumerator<Item, C> {
  readonly size?: Enumerator<Item, C>['size'];
  readonly halve?: Enumerator<Item, C>['halve'];

  constructor(
    readonly source: Source<Item, C>,
    readonly cursor: C | null,
  ) {
    if (source.size) this.size = () => source.size?.();
    if (source.halve) this.halve = source.halve.bind(source);
  }

  read(until: C | null = null): PageReader<Item, C> {
    return this.source.read({ after: this.cursor, until });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly [Item, C], void, void> {
    const reader = this.read();
    try {
      for (let page = await reader.next(); page; page = await reader.next()) {
        for (const [index, item] of page.items.entries()) yield [item, page.cursorAt(index)];
      }
    } finally {
      await reader.close();
    }
  }
}

/** A reader over an async generator of pages. */
export function readPages<Item, C extends Cursor>(
  pages: AsyncGenerator<Page<Item, C>, void, void>,
): PageReader<Item, C> {
  return {
    next: async () => (await pages.next()).value ?? undefined,
    close: async () => {
      await pages.return();
    },
  };
}
