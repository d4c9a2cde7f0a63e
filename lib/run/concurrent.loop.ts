import type { ItemPosition, Page } from '../enumerators/contract/index.js';
import { Failed, type ItemFailure } from '../failures/index.js';
import { checkFirstCursor, interruptedBy, isEnd, type LoopOutcome, type OpenRun } from '../runtime/index.js';
import { type Slot, Slots } from './slots.js';

/** An item that has begun. */
interface Begun extends ItemPosition {
  readonly slot: Slot;
  /** How its handler ended, with further tries in place. Rejects with what fails the job. */
  readonly result: Promise<ItemResult>;
  /** The order that the item before it leaves. */
  readonly before: Promise<Order>;
}

type ItemResult = 'handled' | 'left' | Failed;

/** Whether later items may be finished; after `stopped`, only those that had begun. */
type Order = 'continue' | 'stopped' | 'left';

/**
 * Handles several items at a time (R26). Items begin in the order of the source and are finished in that order: an item
 * that is handled before an older one waits for it, so that everything up to the cursor is finished. At most
 * `itemConcurrency` items have begun after the cursor: a crash repeats at most that many.
 */
export class ConcurrentLoop {
  /** Items that have begun after the cursor, oldest first; each rejects with what fails the job. */
  readonly #unfinished: Promise<Order>[] = [];
  /** The youngest of them. */
  #last: Promise<Order> = Promise.resolve('continue');
  readonly #slots: Slots;
  #hasBegun = false;
  /** An item has failed, which may fail the job: nothing begins before that is known. */
  #mayFail = false;

  /** @param condemned The first item has killed too many processes: it is skipped without being handled. */
  constructor(
    private readonly run: OpenRun,
    private readonly failure: Pick<ItemFailure, 'giveUp' | 'retry'>,
    private condemned?: Failed,
  ) {
    this.#slots = new Slots(run);
  }

  async outcome(): Promise<LoopOutcome> {
    if (this.run.context.stopped) return { type: 'stopped' }; // by a hook, or by an earlier run whose end failed
    return this.#end(this.#beginAll());
  }

  /** Waits for everything that has begun. An item's own error comes before an error of the source. */
  async #end(beginning: Promise<LoopOutcome>): Promise<LoopOutcome> {
    const { context, interruption } = this.run;
    await Promise.allSettled([beginning]);
    if ((await this.#last) === 'left') return interruptedBy(interruption);
    return context.stopped ? { type: 'stopped' } : beginning;
  }

  async #beginAll(): Promise<LoopOutcome> {
    const { context, pages, timer } = this.run;
    for (;;) {
      // What a destructive read returns must be able to begin; and no item is to blame for what the source does (R19).
      if (timer.isIsolating || !pages.canStopHere) await this.#room();
      if (this.#mayFail) await this.#settle();
      if (context.stopped) return { type: 'stopped' };
      const page = await pages.next();
      if (isEnd(page)) return page;
      const end = page.items.length === 0 ? await this.#beginEmpty(page) : await this.#beginPage(page);
      if (end) return end;
    }
  }

  /** @returns undefined when all items of the page have begun */
  async #beginPage(page: Page<unknown>): Promise<LoopOutcome | undefined> {
    const { context, interruption, pages, rate, timer } = this.run;
    for (let index = 0; index < page.items.length; index++) {
      await this.#room();
      if (this.#mayFail && pages.canStopHere) await this.#settle();
      if (timer.isDueBeforeItem()) await timer.look();
      if (rate.isLimited) await timer.awaitRate(pages);
      if (interruption.pending && pages.canStopHere) return interruptedBy(interruption);
      if (context.stopped && pages.canStopHere) return { type: 'stopped' };
      this.#begin(page, index);
    }
    return undefined;
  }

  /** The source has moved without an item. */
  async #beginEmpty(page: Page<unknown>): Promise<LoopOutcome | undefined> {
    const { interruption, timer } = this.run;
    await this.#room();
    if (timer.isDue()) await timer.look();
    this.#follow(this.#passEmpty(page, this.#last));
    return interruption.pending && interruptedBy(interruption);
  }

  async #room(): Promise<void> {
    const { settings, timer } = this.run;
    while (this.#unfinished.length >= (timer.isIsolating ? 1 : settings.itemConcurrency)) {
      await this.#unfinished.shift();
    }
  }

  async #settle(): Promise<void> {
    await this.#last;
    this.#mayFail = false;
  }

  #begin(page: Page<unknown>, index: number): void {
    if (!this.#hasBegun) checkFirstCursor(page, index, this.run);
    this.#hasBegun = true;
    const slot = this.#slots.take();
    const result = this.condemned ? Promise.resolve(this.condemned) : this.#handle(slot, page.items[index]);
    this.condemned = undefined;
    this.#follow(this.#finish({ page, index, slot, result, before: this.#last }));
  }

  #follow(order: Promise<Order>): void {
    this.#last = order;
    this.#unfinished.push(order);
    order.catch(() => {
      this.#mayFail = true;
      this.run.pages.stop();
    });
  }

  async #handle(slot: Slot, item: unknown): Promise<ItemResult> {
    const { interruption, limits, pages } = this.run;
    if (limits) limits.inFlight++;
    const { canStopHere } = pages; // as of now: the source may come to items that it does not read destructively
    try {
      await slot.handle(item);
      return 'handled';
    } catch (thrown) {
      return this.failure.retry(thrown, {
        again: () => slot.handle(item),
        canStopHere: () => canStopHere || interruption.pending?.reason === 'lockLost',
      });
    } finally {
      if (limits) limits.inFlight--;
    }
  }

  /** What becomes of the item once all before it are finished. @throws what fails the job */
  async #finish({ page, index, slot, result, before }: Begun): Promise<Order> {
    const { checkpoint, context, definition, pages, progress, timer } = this.run;
    const { then: next } = definition.options.itemFailure;
    const done = await result.catch((error: unknown) => new Thrown(error));
    if (typeof done !== 'string' && !(next === 'skip' && done instanceof Failed)) this.#mayFail = true;
    const { hasStopped } = slot.context;
    this.#slots.giveBack(slot);

    const order = await before;
    if (order === 'left') return order;
    if (order === 'stopped' && done !== 'handled') return this.#ignore(done);
    if (done === 'left') return done;
    context.item = page.items[index];
    context.hasStopped = false;
    if (done instanceof Thrown) throw done.error;
    if (done === 'handled') {
      await page.ack?.(index);
      progress.advance(page, index, 1);
    } else if ((await this.failure.giveUp(done, { page, index })) === 'left') return 'left';
    if (context.stopped) pages.stop();
    const isStop = order === 'stopped' || hasStopped || context.hasStopped; // by its handler, that of a part, or a hook
    if (isStop) checkpoint.change({ stopped: context.stopped }); // no checkpoint after this item may forget the stop
    if (timer.moved()) await timer.save();
    return isStop ? 'stopped' : 'continue';
  }

  /** After a stop no further item is wanted, and an item that had begun does no harm by failing. */
  #ignore(done: 'left' | Failed | Thrown): Order {
    const why = done === 'left' ? 'its run ended first' : String(done.error);
    this.run.log.warn(
      `an item that had begun after the one that stopped the job has failed (${why}); the job is complete without it`,
    );
    return 'stopped';
  }

  /** Moves the cursor once all items before it are finished. */
  async #passEmpty(page: Page<unknown>, before: Promise<Order>): Promise<Order> {
    const { progress, timer } = this.run;
    const order = await before;
    if (order === 'left') return order;
    progress.moveTo(page.cursorAt(-1));
    if (timer.moved()) await timer.save();
    return order;
  }
}

/** What fails the job. */
class Thrown {
  constructor(readonly error: unknown) {}
}
