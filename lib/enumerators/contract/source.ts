import type { Cursor } from '../../cursor.js';
import type { Enumerator } from './enumerator.js';
import type { Next, Page } from './page.js';

/** Hands out a source's pages in order. */
export interface PageReader<Item, C extends Cursor = Cursor> {
  /** Whether the next page may be read before the items of the last one are finished; by default not. It may change. */
  readonly ahead?: boolean;
  /** Whether what it gives is gone from the source: it is asked for nothing that would not be handled. */
  readonly consuming?: boolean;
  /** The next page; undefined at the end. After {@link Throttled} it may be asked again. */
  next(): Next<Item, C> | Promise<Next<Item, C>>;
  /** Releases what reading opened. Called exactly once; when a run ends early, perhaps while `next` is under way. */
  close(): void | Promise<void>;
}

/** Both ends of a stretch of a source; `null` means the source's own. */
export interface Bounds<C extends Cursor = Cursor> {
  /** Items begin behind this cursor. */
  readonly after: C | null;
  /** Items end with this cursor's, it included. */
  readonly until: C | null;
  /** How many items up to `after` the job has finished; undefined = unknown. */
  readonly finished?: number;
}

/** What a source implements: it can start behind any of its cursors and end at one. */
export interface Source<Item, C extends Cursor = Cursor> {
  /** A reader of the items within `bounds`; nothing is opened before its first `next`. */
  read(bounds: Bounds<C>): PageReader<Item, C>;
  /**
   * How many items the whole source has, wherever it started; undefined = unknown.
   *
   * @param options.exact Whether an estimate will not do: a source that only has one says undefined.
   */
  size?(options?: { readonly exact: boolean }): Promise<number | undefined> | number | undefined;
  /** How many items it has up to and including this cursor's; undefined = unknown. */
  count?(cursor: C): Promise<number | undefined> | number | undefined;
  /** See {@link Enumerator.fraction}. */
  fraction?: Enumerator<Item, C>['fraction'];
  /** See {@link Enumerator.halve}. */
  halve?: Enumerator<Item, C>['halve'];
}

/** A source like another one, but for `changes`. */
export function sourceLike<Item, C extends Cursor>(
  source: Source<Item, C>,
  changes: Partial<Source<Item, C>>,
): Source<Item, C> {
  const { size, count, fraction, halve } = source;
  return {
    read: source.read.bind(source),
    ...(size && { size: size.bind(source) }),
    ...(count && { count: count.bind(source) }),
    ...(fraction && { fraction: fraction.bind(source) }),
    ...(halve && { halve: halve.bind(source) }),
    ...changes,
  };
}

/** A reader over an async generator of pages, which may be read ahead. */
export function readPages<Item, C extends Cursor>(
  pages: AsyncGenerator<Page<Item, C>, void, void>,
): PageReader<Item, C> {
  return {
    ahead: true,
    next: async () => (await pages.next()).value ?? undefined,
    close: async () => {
      await pages.return();
    },
  };
}
