import type { ItemOutcome, Page } from '../enumerators/contract/index.js';
import type { Failed, ItemFailure } from '../failures/index.js';
import { isPromise } from '../is.promise.js';
import { checkFirstCursor, interruptedBy, isEnd, type LoopOutcome, type OpenRun } from '../runtime/index.js';

export type LoopRun = Pick<
  OpenRun,
  'executor' | 'interruption' | 'log' | 'pages' | 'progress' | 'rate' | 'settings' | 'timer'
> & {
  /** `stopped`: the user asked to finish the job after the current item. */
  readonly context: { readonly stopped: unknown };
};

export type SequentialOutcome = LoopOutcome | Retuned;

/** From here on, several items are to be handled at a time (R31). */
interface Retuned {
  readonly type: 'retuned';
}

/**
 * Handles item after item until the source ends or the run must stop. Only promises are awaited, and the timer knows when
 * to look at the clock.
 *
 * @param condemned The first item has killed too many processes: it is skipped without being handled.
 */
export async function loopSequentially(
  run: LoopRun,
  failure: Pick<ItemFailure, 'giveUp' | 'overcome'>,
  condemned?: Failed,
): Promise<SequentialOutcome> {
  const { context, executor, interruption, pages, progress, rate, settings, timer } = run;
  let guilty = condemned;
  if (context.stopped) return { type: 'stopped' }; // by a hook, or by an earlier run whose end failed
  for (;;) {
    const awaited = pages.next();
    const page = isPromise(awaited) ? await awaited : awaited;
    if (isEnd(page)) return page;
    const { items } = page;
    if (items.length === 0) {
      await passEmpty(page, run);
      if (interruption.pending) return interruptedBy(interruption);
    }
    for (let index = 0; index < items.length; index++) {
      if (timer.itemsUntilLook-- <= 0 && timer.isDue()) {
        await timer.look();
        if (settings.itemConcurrency > 1 && !guilty) {
          pages.putBack(page, index);
          return { type: 'retuned' };
        }
      }
      if (rate.isLimited) await timer.awaitRate(pages);
      if (interruption.pending && pages.canStopHere) return interruptedBy(interruption);
      const first = index;
      let outcome: ItemOutcome = 'handled';
      if (progress.finished === 0) checkFirstCursor(page, index, run);
      if (guilty) {
        outcome = await failure.giveUp(guilty, { page, index });
        guilty = undefined;
      } else {
        try {
          const returned = executor.handle(page, index);
          if (isPromise(returned)) {
            await returned;
            index = executor.last;
          }
        } catch (thrown) {
          outcome = await failure.overcome(thrown, { page, index });
        }
      }
      if (outcome === 'left') return interruptedBy(interruption);
      if (outcome === 'handled') {
        if (page.ack) for (let item = first; item <= index; item++) await page.ack(item);
        progress.advance(page, index, index - first + 1);
      }

      if (context.stopped) return { type: 'stopped' };
      if (timer.moved()) await timer.save();
    }
  }
}

/** The source has moved without an item, perhaps many times in a row. */
async function passEmpty(page: Page<unknown>, { progress, timer }: LoopRun): Promise<void> {
  progress.moveTo(page.cursorAt(-1));
  if (timer.isDue()) await timer.look();
  if (timer.moved()) await timer.save(); // last: no item is to blame for what the source does next (R19)
}
