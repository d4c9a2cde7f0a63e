import type { Position } from '../checkpoint/index.js';
import type { Outcome, Page } from '../enumerators/contract/index.js';
import type { ItemFailure } from '../failures/index.js';
import type { InterruptionRequest } from '../interruption/index.js';
import { isPromise } from '../is.promise.js';
import {
  checkFirstCursor,
  type ItemWork,
  interruptedBy,
  isEnd,
  type LoopEnd,
  type PageFeed,
  type RunWatch,
} from '../runtime/index.js';

export interface LoopParts {
  readonly feed: Pick<PageFeed, 'next' | 'mayLeave'>;
  readonly work: Pick<ItemWork, 'handle' | 'last'>;
  readonly failure: Pick<ItemFailure, 'overcome'>;
  /** Why the first item must not be handled, if it must not. */
  readonly blame?: Error;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly watch: RunWatch;
  /** `stopped`: the user asked to finish the job after the item in flight. */
  readonly context: { readonly stopped: unknown };
  readonly warn: (message: string) => void;
}

/**
 * Handles item after item until the source ends or the run must stop. Only promises are awaited; when the clock is to be
 * looked at, the watch knows.
 */
export async function loopOverItems(parts: LoopParts): Promise<LoopEnd> {
  const { context, failure, feed, interruption, position, watch, work } = parts;
  let { blame } = parts;
  if (context.stopped) return { type: 'stop' }; // by a hook, or by a run before whose end failed
  for (;;) {
    const awaited = feed.next();
    const page = isPromise(awaited) ? await awaited : awaited;
    if (isEnd(page)) return page;
    const { items } = page;
    if (items.length === 0) {
      await passTo(page, parts);
      if (interruption.pending) return interruptedBy(interruption);
    }
    for (let index = 0; index < items.length; index++) {
      if (watch.itemsUntilLook-- <= 0 && watch.isDue()) await watch.look();
      if (interruption.pending && feed.mayLeave) return interruptedBy(interruption);
      const first = index;
      let outcome: Outcome = 'handled';
      if (position.finished === 0) checkFirstCursor(page, index, parts);
      try {
        if (blame !== undefined) throw blame;
        const returned = work.handle(page, index);
        if (isPromise(returned)) {
          await returned;
          index = work.last;
        }
      } catch (thrown) {
        blame = undefined;
        outcome = await failure.overcome(thrown, { page, index });
      }
      if (outcome === 'left') return interruptedBy(interruption);
      if (outcome === 'handled') {
        if (page.finished) for (let item = first; item <= index; item++) await page.finished(item);
        position.advance(page, index, index - first + 1);
      }

      if (context.stopped) return { type: 'stop' };
      if (watch.moved()) await watch.save();
    }
  }
}

/** The source has moved on without an item, perhaps many times in a row. */
async function passTo(page: Page<unknown>, { position, watch }: LoopParts): Promise<void> {
  position.passTo(page.cursorAt(-1));
  if (watch.isDue()) await watch.look();
  if (watch.moved()) await watch.save(); // last: what the source does next is to be blamed on no item (R19)
}
