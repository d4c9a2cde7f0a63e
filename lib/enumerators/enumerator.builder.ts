import { Injectable, Optional } from '@nestjs/common';
import type { Cursor, Json } from '../cursor.js';
import { arrayEnumerator, onceEnumerator, slicesOf, timesEnumerator } from './array.enumerator.js';
import type { At, Enumerator, EnumeratorLike, PartitionOptions, PartOptions } from './contract/index.js';
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

/**
 * Every source. Inject it into a processor, and return what its methods return from `@BuildEnumerator`. In a unit test,
 * `new EnumeratorBuilder()` does.
 */
@Injectable()
export class EnumeratorBuilder {
  constructor(
    /** Rows of a TypeORM repository or query. */
    @Optional() readonly typeorm: TypeOrmEnumeratorBuilder = new TypeOrmEnumeratorBuilder(),
    /** Rows of a Prisma model. */
    @Optional() readonly prisma: PrismaEnumeratorBuilder = new PrismaEnumeratorBuilder(),
    /** Records of a CSV file. */
    @Optional() readonly csv: CsvEnumeratorBuilder = new CsvEnumeratorBuilder(),
  ) {}

  /**
   * The items of an array in memory. The cursor is the index. The array must be the same at each run. With `range`, which
   * {@link slices} returns, only the items of one part.
   *
   * @throws InvalidCursorError when it is read, for a cursor outside of the range.
   */
  array<T>(items: readonly T[], options: PartOptions): Enumerator<T, number> {
    return arrayEnumerator(items, options);
  }

  /**
   * Cuts an array into at most `count` parts, whose lengths differ by at most one: a list of ranges for {@link array}. There
   * is no empty part, but of an empty array there is one.
   */
  slices(items: readonly unknown[], options: PartitionOptions): Json[] {
    return slicesOf(items, options);
  }

  /** The numbers 0 to `count` - 1. The cursor is the number. */
  times(count: number, options: At): Enumerator<number, number> {
    return timesEnumerator(count, options);
  }

  /** One item without a value: a step that is done, or not. */
  once(options: At): Enumerator<undefined, number> {
    return onceEnumerator(options);
  }

  /**
   * What any sync or async iterable of `[item, cursor]` yields, with its own cursors. Build it to start after the
   * context's cursor. A generator is resumed when the item it yielded is finished. Its `finally` runs when a run ends early.
   *
   * A run that is stopped asks for one more item, to see whether the job is complete, and does not handle it. Where taking
   * an item removes it, use `poll`.
   */
  from<T, C extends Cursor>(iterable: EnumeratorLike<T, C>, options?: IterableOptions): Enumerator<T, C> {
    return iterableEnumerator(iterable, options);
  }

  /**
   * The rows of any database or driver, by a unique key. `fetch(after, limit)` returns at most `limit` rows after the key
   * `after`, in the order of the key, and none at the end. The row's key is its cursor.
   *
   * Return keys at the database's full precision: a timestamp as text, a bigint as text. A page that does not move forward,
   * two rows with the same key, and numbers out of order are an InvalidEnumeratorError.
   */
  keyset<Row, K extends Json | []>(options: KeysetFetchOptions<Row, K>): Enumerator<Row, K> {
    return keysetEnumerator(options);
  }

  /**
   * The items of an API's pages. The cursor is the page's token and the index in the page. A resumed run asks for that page
   * again. A repeated token is an InvalidEnumeratorError.
   */
  pages<Item, Token extends Json>(options: PagesOptions<Item, Token>): Enumerator<Item> {
    return pagesEnumerator(options);
  }

  /**
   * What `fetch` takes from a queue without a cursor (Redis LPOP, Kafka), one by one, until it returns `null` or `undefined`.
   * With `idleMs`, `fetch` is then called again after that time, as long as the run lasts.
   *
   * Without `ack`, an item that was taken is lost when its handler throws or its process dies: at most once. With `ack`, an
   * item is acknowledged when it is finished: at least once. `fetch` should answer within 200 ms: a run that is stopped waits
   * no longer, and does not handle a later answer.
   */
  poll<Item>(fetch: () => Promise<Item | null | undefined>, options?: PollOptions<Item>): Enumerator<Item, null> {
    return pollEnumerator(fetch, options);
  }

  /**
   * Inner items, outer item by outer item. Each level is called with the outer items, outermost first, and its own At. It
   * returns an enumerator, or `null` for nothing: `[({ cursor }) => shops, (shop, { cursor }) => products]`.
   *
   * The cursor holds the cursor of every level, each bound to its outer item (R9). So an outer item that was removed is not
   * mistaken for another, and outer items inserted before the current one are not handled. A resumed run builds the outer
   * level twice.
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
   * The same items, but the run ends while `when()` returns true. The job resumes `retryInMs` later, after the other jobs of
   * its priority. `when` is called before each item and before anything is fetched. Nothing is read ahead.
   */
  throttle<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>, options: ThrottleOptions): Enumerator<Item, C> {
    return throttleEnumerator(enumerator, options);
  }

  /** The first `count` items of a source, over all runs of the job. The cursor is the same. */
  take<Item, C extends Cursor>(enumerator: EnumeratorLike<Item, C>, count: number): Enumerator<Item, C> {
    return takeEnumerator(enumerator, count);
  }
}
