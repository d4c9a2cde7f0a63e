import { setTimeout as delay } from 'node:timers/promises';
import type { Cursor } from '../../cursor.js';
import { LONGEST_TIMER_MS } from '../../rules.js';
import type { Enumerator } from './enumerator.js';
import { EventLoopTurns } from './event.loop.turns.js';
import { isThrottled } from './page.js';
import { type RunReader, readAhead } from './read-ahead.js';
import type { Bounds, PageReader, Source } from './source.js';

/** A {@link Source} that starts after a cursor: the {@link Enumerator} that the builder's methods return. */
export class SourceEnumerator<Item, C extends Cursor = Cursor> implements Enumerator<Item, C> {
  readonly size?: Enumerator<Item, C>['size'];
  readonly fraction?: Enumerator<Item, C>['fraction'];
  readonly halve?: Enumerator<Item, C>['halve'];

  constructor(
    readonly source: Source<Item, C>,
    readonly cursor: C | null,
  ) {
    if (source.size) this.size = () => source.size?.();
    if (source.fraction) this.fraction = source.fraction.bind(source);
    if (source.halve) this.halve = source.halve.bind(source);
  }

  /** For the code that handles the items. Reads one page ahead, where the source allows it. */
  read(bounds: Partial<Omit<Bounds<C>, 'after'>> = {}): RunReader<Item, C> {
    return readAhead(this.open(bounds));
  }

  /** For a source made from this one. */
  open({ until = null, finished, batchSize }: Partial<Omit<Bounds<C>, 'after'>> = {}): PageReader<Item, C> {
    return this.source.read({ after: this.cursor, until, finished, batchSize });
  }

  /** Outside a run, iteration waits while the source is throttled. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly [Item, C], void, void> {
    const reader = this.read();
    const turns = new EventLoopTurns();
    try {
      for (let next = await reader.next(); next; next = await reader.next()) {
        if (isThrottled(next)) {
          await delay(Math.min(next.retryInMs, LONGEST_TIMER_MS));
          continue;
        }
        if (next.items.length === 0) await turns.pass();
        for (const [index, item] of next.items.entries()) {
          yield [item, next.cursorAt(index)];
          await next.ack?.(index);
        }
      }
    } finally {
      await reader.close();
    }
  }
}
