import { Injectable } from '@nestjs/common';
import type { Cursor, Json } from '../cursor.js';
import { arrayEnumerator, onceEnumerator, timesEnumerator } from './array.enumerator.js';
import type { At, Enumerator, EnumeratorLike } from './contract/index.js';
import { CsvEnumeratorBuilder } from './csv/csv.enumerator.js';
import { type IterableOptions, iterableEnumerator } from './iterable.enumerator.js';
import { type KeysetFetchOptions, keysetEnumerator } from './keyset.enumerator.js';
import { type AnyLevel, type Level, nestedEnumerator } from './nested/nested.enumerator.js';
import { type PagesOptions, pagesEnumerator } from './pages.enumerator.js';
import { type PollOptions, pollEnumerator } from './poll.enumerator.js';
import { PrismaEnumeratorBuilder } from './prisma/prisma.enumerator.js';
import { takeEnumerator } from './take.enumerator.js';
import { type ThrottleOptions, throttleEnumerator } from './throttle.enumerator.js';
import { TypeOrmEnumeratorBuilder } from './typeorm/typeorm.enumerator.js';

/** Every source. Inject it into a processor, and return what its calls give from `@BuildEnumerator`. */
@Injectable()
export class EnumeratorBuilder {
  constructor(
    /** Rows of a TypeORM repository or query. */
    readonly typeorm: TypeOrmEnumeratorBuilder,
    /** Rows of a Prisma model. */
    readonly prisma: PrismaEnumeratorBuilder,
    /** Records of a CSV file. */
    readonly csv: CsvEnumeratorBuilder,
  ) {}

  /** The items of an array in memory; the cursor is the index. The array must be the same at each run. */
  array<T>(items: readonly T[], options: At): Enumerator<T, number> {
    return arrayEnumerator(items, options);
  }

  /** The numbers 0 to `count` - 1; the cursor is the number. */
  times(count: number, options: At): Enumerator<number, number> {
    return timesEnumerator(count, options);
  }

  /** One item without a value: a step that is done, or not. */
  once(options: At): Enumerator<undefined, number> {
    return onceEnumerator(options);
  }

  /**
   * What any sync or async iterable of `[item, cursor]` yields, with its own cursors: build it to start behind the
   * context's cursor. A generator is resumed when the item it yielded is finished; its `finally` runs when a run ends early.
   *
   * A run that is stopped asks for one item more, to see whether the job is complete, and does not handle it: for what is gone
   * when it was taken there is `poll`.
   */
  from<T, C extends Cursor>(iterable: EnumeratorLike<T, C>, options?: IterableOptions): Enumerator<T, C> {
    return iterableEnumerator(iterable, options);
  }

  /**
   * The rows of any database or driver, by a unique key. `fetch(after, limit)` gives at most `limit` rows behind the key
   * `after`, in the order of the key, and none at the end; the row's key is its cursor.
   *
   * Give keys at the database's full precision: a timestamp as text, a bigint as text. A page that does not move forward, two
   * rows of one key, and numbers out of order are an InvalidEnumeratorError.
   */
  keyset<Row, K extends Json | []>(options: KeysetFetchOptions<Row, K>): Enumerator<Row, K> {
    return keysetEnumerator(options);
  }

  /**
   * The items of an API's pages. The cursor is the page's token and the index in it: a resumed run asks for that page again.
   * A token that comes again is an InvalidEnumeratorError.
   */
  pages<Item, Token extends Json>(options: PagesOptions<Item, Token>): Enumerator<Item> {
    return pagesEnumerator(options);
  }

  /**
   * What `fetch` takes from a queue without a cursor (Redis LPOP, Kafka), one by one, until it gives `null` or `undefined`;
   * with `idleMs` it waits that long and asks again, as long as the run lasts.
   *
   * Without `ack` an item that was taken is lost when its handler throws or its process dies: at most once. With it, an item is
   * acknowledged when it is finished: at least once. `fetch` should answer within 200 ms: a run that is stopped waits no longer,
   * and what comes then is not handled.
   */
  poll<Item>(fetch: () => Promise<Item | null | undefined>, options?: PollOptions<Item>): Enumerator<Item, null> {
    return pollEnumerator(fetch, options);
  }

  /**
   * Inner items, outer item by outer item. Each level is called with the outer items, outermost first, then its own At, and
   * returns an enumerator, or `null` for nothing: `[({ cursor }) => shops, (shop, { cursor }) => products]`.
   *
   * The cursor holds that of every level, each bound to its outer item (R9): an outer item that is gone is not mistaken for
   * another, and what was inserted before the one in progress lies behind. A run that resumes builds the outer level twice.
   */
  nested<A, B>(levels: readonly [Level<[], A>, Level<[A], B>], options: At): Enumerator<B>;
  nested<A, B, C>(levels: readonly [Level<[], A>, Level<[A], B>, Level<[A, B], C>], options: At): Enumerator<C>;
  nested<A, B, C, D>(
    levels: readonly [Level<[], A>, Level<[A], B>, Level<[A, B], C>, Level<[A, B, C], D>],
    options: At,
  ): Enumerator<D>;
  nested<Inner>(levels: readonly AnyLevel[], options: At): Enumerator<Inner>;
  nested<Inner>(levels: readonly AnyLevel[], options: At): Enumerator<Inner> {
    return nestedEnumerator(levels, options);
  }

  /**
   * The same items, but the run ends while `when()` holds, and the job goes on `retryInMs` later, behind the others of its
   * priority. `when` is asked before each item and before anything is fetched; nothing is read ahead.
   */
  throttle<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>, options: ThrottleOptions): Enumerator<Item, C> {
    return throttleEnumerator(enumerator, options);
  }

  /** The first `count` items of it over all runs of the job; the cursor is the same. */
  take<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>, count: number): Enumerator<Item, C> {
    return takeEnumerator(enumerator, count);
  }
}
