import { Injectable } from '@nestjs/common';
import type { Cursor } from '../cursor.js';
import { arrayEnumerator } from './array.enumerator.js';
import type { At, Enumerator, EnumeratorLike } from './contract/index.js';
import { CsvEnumeratorBuilder } from './csv.enumerator.js';
import { type IterableOptions, iterableEnumerator } from './iterable.enumerator.js';
import { onceEnumerator } from './once.enumerator.js';
import { PrismaEnumeratorBuilder } from './prisma.enumerator.js';
import { timesEnumerator } from './times.enumerator.js';
import { TypeOrmEnumeratorBuilder } from './typeorm.enumerator.js';

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
   */
  from<T, C extends Cursor>(iterable: EnumeratorLike<T, C>, options?: IterableOptions): Enumerator<T, C> {
    return iterableEnumerator(iterable, options);
  }
}
