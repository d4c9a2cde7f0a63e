import type { Page, Place } from '../enumerators/contract/index.js';
import { Failed, type ItemFailure } from '../failures/index.js';
import {
  checkFirstCursor,
  interruptedBy,
  isEnd,
  type LoopEnd,
  type PageFeed,
  type RunContext,
} from '../runtime/index.js';
import type { LoopParts } from './sequential.loop.js';

export interface FlightParts extends Omit<LoopParts, 'work' | 'failure' | 'feed' | 'context'> {
  /** Most items in flight. */
  readonly most: number;
  readonly feed: Pick<PageFeed, 'next' | 'mayLeave' | 'stop'>;
  readonly failure: Pick<ItemFailure, 'retry' | 'giveUp'>;
  readonly context: RunContext;
  /** Whether an item that has failed for good may be skipped. */
  readonly skips: boolean;
  /** Makes a handler with a context of its own. */
  readonly slot: () => Slot;
  /** The position is behind the item that stopped the job: no checkpoint from here on may forget that. */
  readonly passedStop: () => void;
}

export interface Slot {
  readonly context: RunContext;
  readonly handle: (item: unknown) => unknown;
}

/** An item that has begun. */
interface Begun extends Place {
  readonly slot: Slot;
  /** Of its handler, and of further tries in place. Rejects with what fails the job. */
  readonly outcome: Promise<'handled' | 'left' | Failed>;
  /** Of the item before it. */
  readonly before: Promise<Way>;
}

/** How the items behind one go on; behind a `stop`, only with what had begun. */
type Way = 'on' | 'stopped' | 'left';

/**
 * Handles several items at a time (R26). They begin in the order of the source, and are finished in that order: one that is
 * done before an older one waits for it, so that everything up to the position is done. No more items have begun beyond the
 * position than may be in flight: so many are repeated at most.
 */
export class ItemsInFlight {
  /** What has begun beyond the position, oldest first; each rejects with what fails the job. */
  readonly #unfinished: Promise<Way>[] = [];
  /** Of the youngest item. */
  #last: Promise<Way> = Promise.resolve('on');
  readonly #free: Slot[] = [];
  #blame: Error | undefined;
  #hasBegun = false;
  /** An item has failed, which may fail the job: nothing begins before that is known. */
  #mayFail = false;

  constructor(private readonly parts: FlightParts) {
    this.#blame = parts.blame;
  }

  async run(): Promise<LoopEnd> {
    if (this.parts.context.stopped) return { type: 'stop' }; // by a hook, or by a run before whose end failed
    return this.#end(this.#beginAll());
  }

  /** When all that has begun is done. What an item came to is told before what its source threw meanwhile. */
  async #end(beginning: Promise<LoopEnd>): Promise<LoopEnd> {
    const { context, interruption } = this.parts;
    await Promise.allSettled([beginning]);
    const way = await this.#last;
    if (way === 'left') return interruptedBy(interruption);
    return context.stopped ? { type: 'stop' } : beginning;
  }

  async #beginAll(): Promise<LoopEnd> {
    const { context, feed, interruption, watch } = this.parts;
    for (;;) {
      // What is gone from its source must be able to begin; and what the source does is to be blamed on no item (R19).
      if (watch.isCareful || !feed.mayLeave) await this.#room();
      if (this.#mayFail) await this.#settle();
      if (context.stopped) return { type: 'stop' };
      const page = await feed.next();
      if (isEnd(page)) return page;
      const { items } = page;
      if (items.length === 0) {
        await this.#room();
        if (watch.isDue()) await watch.look();
        this.#follow(this.#passTo(page, this.#last));
        if (interruption.pending) return interruptedBy(interruption);
      }
      for (let index = 0; index < items.length; index++) {
        await this.#room();
        if (this.#mayFail && feed.mayLeave) await this.#settle();
        if (watch.itemsUntilLook-- <= 0 && watch.isDue()) await watch.look();
        if (interruption.pending && feed.mayLeave) return interruptedBy(interruption);
        if (context.stopped && feed.mayLeave) return { type: 'stop' };
        this.#begin(page, index);
      }
    }
  }

  async #room(): Promise<void> {
    const { most, watch } = this.parts;
    while (this.#unfinished.length >= (watch.isCareful ? 1 : most)) {
      await this.#unfinished.shift();
    }
  }

  /** @throws what fails the job */
  async #settle(): Promise<void> {
    await this.#last;
    this.#mayFail = false;
  }

  #begin(page: Page<unknown>, index: number): void {
    if (!this.#hasBegun) checkFirstCursor(page, index, this.parts);
    this.#hasBegun = true;
    const slot = this.#free.pop() ?? this.parts.slot();
    slot.context.hasStopped = false;
    const outcome = this.#handle(slot, page.items[index]);
    this.#follow(this.#finish({ page, index, slot, outcome, before: this.#last }));
  }

  #follow(way: Promise<Way>): void {
    this.#last = way;
    this.#unfinished.push(way);
    way.catch(() => {
      this.#mayFail = true;
      this.parts.feed.stop();
    });
  }

  async #handle(slot: Slot, item: unknown): Promise<'handled' | 'left' | Failed> {
    const { failure, feed, interruption } = this.parts;
    const { mayLeave } = feed; // as of now: the source may go on to what is not gone from it
    try {
      if (this.#blame) throw this.#blame;
      await slot.handle(item);
      return 'handled';
    } catch (thrown) {
      this.#blame = undefined;
      return failure.retry(thrown, {
        again: () => slot.handle(item),
        mayLeave: () => mayLeave || interruption.pending?.reason === 'lockLost',
      });
    }
  }

  /** In turn: what the item comes to, when all before it have been finished. @throws what fails the job */
  async #finish({ page, index, slot, outcome, before }: Begun): Promise<Way> {
    const { context, failure, feed, passedStop, position, skips, watch } = this.parts;
    const done = await outcome.catch((error: unknown) => new Thrown(error));
    if (typeof done !== 'string' && !(skips && done instanceof Failed)) this.#mayFail = true;
    const { hasStopped } = slot.context;
    this.#free.push(slot);

    const way = await before;
    if (way === 'left') return way;
    if (way === 'stopped' && done !== 'handled') return this.#ignore(done);
    if (done === 'left') return done;
    context.item = page.items[index];
    context.hasStopped = false;
    if (done instanceof Thrown) throw done.error;
    if (done === 'handled') {
      await page.finished?.(index);
      position.advance(page, index, 1);
    } else if ((await failure.giveUp(done, { page, index })) === 'left') return 'left';
    if (context.stopped) feed.stop();
    const isStop = way === 'stopped' || hasStopped || context.hasStopped; // by its handler, that of a half, or a hook
    if (isStop) passedStop();
    if (watch.moved()) await watch.save();
    return isStop ? 'stopped' : 'on';
  }

  /** Behind a stop nothing is wanted any more, and what had begun there does no harm by failing. */
  #ignore(done: 'left' | Failed | Thrown): Way {
    const why = done === 'left' ? 'its run ended first' : String(done.error);
    this.parts.warn(
      `an item that had begun behind the one that stopped the job has failed (${why}); the job is complete without it`,
    );
    return 'stopped';
  }

  /** The source has moved on without an item. */
  async #passTo(page: Page<unknown>, before: Promise<Way>): Promise<Way> {
    const { position, watch } = this.parts;
    const way = await before;
    if (way === 'left') return way;
    position.passTo(page.cursorAt(-1));
    if (watch.moved()) await watch.save();
    return way;
  }
}

/** What fails the job. */
class Thrown {
  constructor(readonly error: unknown) {}
}
