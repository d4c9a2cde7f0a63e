import type { Cursor } from '../../cursor.js';
import type { Enumerator } from './enumerator.js';
import type { Next, Page } from './page.js';

/** Reads a source's pages in order. */
export interface PageReader<Item, C extends Cursor = Cursor> {
  /** Whether the next page may be read before the items of the last one are finished. Default false. It may change. */
  readonly ahead?: boolean;
  /** Of a source of batches: its own size of them. */
  readonly batchSize?: number;
  /** Whether reading removes items from the source. If so, items already removed from the source must be handled. */
  readonly destructiveRead?: boolean;
  /** The next page; undefined at the end. May be called again after {@link Throttled}. */
  next(): Next<Item, C> | Promise<Next<Item, C>>;
  /** Releases what reading opened. Called exactly once. When a run ends early, `next` may still be pending. */
  close(): void | Promise<void>;
}

/** Both ends of what to read. `null` means the beginning or the end of the source. */
export interface Bounds<C extends Cursor = Cursor> {
  /** Items start after this cursor. */
  readonly after: C | null;
  /** The last item is the one that this cursor names. */
  readonly until: C | null;
  /** How many items up to `after` the job has finished; undefined = unknown. */
  readonly finished?: number;
  /** For sources of batches: the size of the next one; undefined = the source's own. It may change. */
  readonly batchSize?: () => number | undefined;
}

/**
 * One part of a source: the items after `after`, up to and including `until`. `null` means no end: items that are added there
 * later belong to the part.
 */
export type Part<C extends Cursor = Cursor> = {
  readonly after: C | null;
  readonly until: C | null;
};

/** What a source implements. It can start after any of its cursors and end at one. */
export interface Source<Item, C extends Cursor = Cursor> {
  /** A reader of the items within `bounds`. It opens nothing before its first `next`. */
  read(bounds: Bounds<C>): PageReader<Item, C>;
  /**
   * How many items the whole source has, wherever it started; undefined = unknown.
   *
   * @param options.exact Do not estimate: a source that can only estimate returns undefined.
   */
  size?(options?: { readonly exact: boolean }): Promise<number | undefined> | number | undefined;
  /** How many items lie up to and including this cursor's; undefined = unknown. */
  count?(cursor: C): Promise<number | undefined> | number | undefined;
  /** How many items one part has; undefined = unknown. Without it, `count` of both ends is asked. Options as for `size`. */
  partSize?(part: Part<C>, options?: { readonly exact: boolean }): Promise<number | undefined> | number | undefined;
  /** Positive: `one` names an item after that of `other`. Absent: only reading shows their order. */
  compare?(one: C, other: C): number;
  /** See {@link Enumerator.fraction}. */
  fraction?: Enumerator<Item, C>['fraction'];
  /** See {@link Enumerator.halve}. */
  halve?: Enumerator<Item, C>['halve'];
}

/** The same source with `changes`. */
export function sourceLike<Item, C extends Cursor>(
  source: Source<Item, C>,
  changes: Partial<Source<Item, C>>,
): Source<Item, C> {
  const { size, count, partSize, compare, fraction, halve } = source;
  return {
    read: source.read.bind(source),
    ...(size && { size: size.bind(source) }),
    ...(count && { count: count.bind(source) }),
    ...(partSize && { partSize: partSize.bind(source) }),
    ...(compare && { compare: compare.bind(source) }),
    ...(fraction && { fraction: fraction.bind(source) }),
    ...(halve && { halve: halve.bind(source) }),
    ...changes,
  };
}

/** A reader of the pages of an async generator. They may be read ahead. */
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
