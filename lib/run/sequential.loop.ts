import type { ItemOutcome, ItemPosition, Page } from '../enumerators/contract/index.js';
import type { Failed, ItemFailure } from '../failures/index.js';
import { isPromise } from '../is.promise.js';
import { checkFirstCursor, interruptedBy, isEnd, type LoopOutcome, type OpenRun } from '../runtime/index.js';

type LoopRun = Pick<
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
 */
export class SequentialLoop {
  /** @param condemned The first item has killed too many processes: it is skipped without being handled. */
  constructor(
    private readonly run: LoopRun,
    private readonly failure: Pick<ItemFailure, 'giveUp' | 'overcome'>,
    private condemned?: Failed,
  ) {}

  async outcome(): Promise<SequentialOutcome> {
    const { context, pages } = this.run;
    if (context.stopped) return { type: 'stopped' }; // by a hook, or by an earlier run whose end failed
    for (;;) {
      const awaited = pages.next();
      const page = isPromise(awaited) ? await awaited : awaited;
      if (isEnd(page)) return page;
      const end = page.items.length === 0 ? await this.#passEmpty(page) : await this.#handlePage(page);
      if (end) return end;
    }
  }

  /** @returns undefined when all items of the page are finished */
  async #handlePage(page: Page<unknown>): Promise<SequentialOutcome | undefined> {
    const { context, executor, interruption, pages, progress, rate, timer } = this.run;
    for (let index = 0; index < page.items.length; index++) {
      if (timer.isDueBeforeItem()) {
        await timer.look();
        if (this.#isRetuned) return this.#leave(page, index);
      }
      if (rate.isLimited) await timer.awaitRate(pages);
      if (interruption.pending && pages.canStopHere) return interruptedBy(interruption);

      const first = index;
      let outcome: ItemOutcome = 'handled';
      if (progress.finished === 0) checkFirstCursor(page, index, this.run);
      if (this.condemned) {
        outcome = await this.#skipCondemned({ page, index });
      } else {
        try {
          const returned = executor.handle(page, index);
          if (isPromise(returned)) await returned; // no function of its own: it would cost as much as an item
        } catch (thrown) {
          outcome = await this.failure.overcome(thrown, { page, index });
        }
      }
      if (outcome === 'left') return interruptedBy(interruption);
      if (outcome === 'handled') {
        index = executor.last;
        if (page.ack) await acknowledge(page, { first, last: index });
        progress.advance(page, index, index - first + 1);
      }
      if (context.stopped) return { type: 'stopped' };
      if (timer.moved()) await timer.save();
    }
    return undefined;
  }

  #skipCondemned(position: ItemPosition): Promise<ItemOutcome> {
    const failed = this.condemned as Failed;
    this.condemned = undefined;
    return this.failure.giveUp(failed, position);
  }

  get #isRetuned(): boolean {
    return this.run.settings.itemConcurrency > 1 && !this.condemned;
  }

  #leave(page: Page<unknown>, index: number): SequentialOutcome {
    this.run.pages.putBack(page, index);
    return { type: 'retuned' };
  }

  /** The source has moved without an item, perhaps many times in a row. */
  async #passEmpty(page: Page<unknown>): Promise<SequentialOutcome | undefined> {
    const { interruption, progress, timer } = this.run;
    progress.moveTo(page.cursorAt(-1));
    if (timer.isDue()) await timer.look();
    if (timer.moved()) await timer.save(); // last: no item is to blame for what the source does next (R19)
    return interruption.pending && interruptedBy(interruption);
  }
}

async function acknowledge(page: Page<unknown>, { first, last }: { first: number; last: number }): Promise<void> {
  for (let index = first; index <= last; index++) await page.ack?.(index);
}
