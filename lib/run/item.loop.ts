import { setTimeout as delay } from 'node:timers/promises';
import { checkJson, LARGE_CURSOR_BYTES } from '../cursor.js';
import { isThrottled, type Next, type Page, type RunReader } from '../enumerators/contract/index.js';
import type { Interruption, InterruptionRequest } from './interruption.js';
import type { ItemWork } from './item.work.js';
import type { Outcome, Place } from './piece.js';
import type { Position } from './position.js';
import type { RunWatch } from './run.watch.js';

/** How the loop ended; a failure is thrown. */
export type LoopEnd =
  | { readonly type: 'complete' }
  | { readonly type: 'stop' }
  | { readonly type: 'interrupt'; readonly interruption: Interruption };

export interface LoopParts {
  readonly reader: RunReader<unknown>;
  readonly work: Pick<ItemWork, 'handle' | 'last'>;
  /** What becomes of an item that threw. @throws what fails the job */
  readonly overcome: (thrown: unknown, place: Place) => Promise<Outcome>;
  /** Why the first item must not be handled, if it must not. */
  readonly blame?: Error;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly watch: RunWatch;
  /** Whether the user asked to finish the job after the item in flight. */
  readonly stopped: () => boolean;
  readonly warn: (message: string) => void;
}

/** How long a stopped run waits to learn whether the page it has asked for is the end. */
const LOOK_AHEAD_MS = 200;
/** How often the lock and the run time are looked at while a page is awaited. */
const AWAITING_LOOK_MS = 250;
/** How long a run waits for its source to close when that waits for a page nobody wants any more. */
const CLOSE_MS = 200;

/**
 * Handles item after item until the source ends or the run must stop. Only promises are awaited, and the clock is read
 * before each item that follows one, else every 64 items.
 */
export class ItemLoop {
  #awaitedPage: PromiseLike<unknown> | undefined;
  #ended = false;

  constructor(private readonly parts: LoopParts) {}

  async run(): Promise<LoopEnd> {
    const looks = setInterval(() => {
      if (this.#awaitedPage !== undefined) this.parts.watch.lookWhileAwaiting();
    }, AWAITING_LOOK_MS).unref();
    try {
      return await Promise.race([this.#iterate(), this.#stopWhileAwaitingPage()]);
    } finally {
      this.#ended = true;
      clearInterval(looks);
      await this.#close();
    }
  }

  async #iterate(): Promise<LoopEnd> {
    const { interruption, position, reader, stopped, watch, work } = this.parts;
    let { blame } = this.parts;
    if (stopped()) return { type: 'stop' }; // by a hook, or by a run before whose end failed
    for (;;) {
      if (interruption.pending && reader.consuming) return { type: 'interrupt', interruption: interruption.pending };
      const awaited = reader.next();
      const page = isPromise(awaited) ? await this.#awaitPage(awaited) : awaited;
      if (!page) return { type: 'complete' };
      if (isThrottled(page)) return this.#throttled(page.retryInMs);
      const { items } = page;
      if (items.length === 0) {
        await this.#passTo(page);
        if (interruption.pending) return { type: 'interrupt', interruption: interruption.pending };
      }
      for (let index = 0; index < items.length; index++) {
        if (watch.itemsUntilLook-- <= 0 && watch.isDue()) await watch.look();
        if (interruption.pending && this.#mayLeave()) return { type: 'interrupt', interruption: interruption.pending };
        const first = index;
        let outcome: Outcome = 'handled';
        if (position.finished === 0) this.#checkFirstCursor(page, index);
        try {
          if (blame !== undefined) throw blame;
          const returned = work.handle(page, index);
          if (isPromise(returned)) {
            await returned;
            watch.itemsUntilLook = 0;
            index = work.last;
          }
        } catch (thrown) {
          blame = undefined;
          outcome = await this.#overcome(thrown, page, index);
        }
        if (outcome === 'left')
          return { type: 'interrupt', interruption: interruption.pending ?? { reason: 'lockLost' } };
        if (outcome === 'handled') {
          if (page.finished) for (let item = first; item <= index; item++) await page.finished(item);
          position.advance(page, index, index - first + 1);
        }

        if (stopped()) return { type: 'stop' };
        if (watch.moved()) await watch.save();
      }
    }
  }

  #overcome(thrown: unknown, page: Page<unknown>, index: number): Promise<Outcome> {
    this.parts.watch.itemsUntilLook = 0;
    return this.parts.overcome(thrown, { page, index, mayLeave: () => this.#mayLeave() });
  }

  async #awaitPage(next: PromiseLike<Next<unknown>>): Promise<Next<unknown>> {
    this.#awaitedPage = next;
    const page = await next;
    this.#awaitedPage = undefined;
    this.parts.watch.itemsUntilLook = 0;
    return page;
  }

  /** The source has moved on without an item, perhaps many times in a row. */
  async #passTo(page: Page<unknown>): Promise<void> {
    const { position, watch } = this.parts;
    position.passTo(page.cursorAt(-1));
    if (watch.moved()) await watch.save();
    if (watch.isDue()) await watch.look();
  }

  #throttled(retryInMs: number): LoopEnd {
    const { interruption } = this.parts;
    interruption.request({ reason: 'throttle', retryInMs });
    return { type: 'interrupt', interruption: interruption.pending ?? { reason: 'throttle', retryInMs } };
  }

  /** What is gone from its source is handled, unless another worker has the job, or this run has ended without it. */
  #mayLeave(): boolean {
    const { interruption, reader } = this.parts;
    return !reader.consuming || this.#ended || interruption.pending?.reason === 'lockLost';
  }

  #checkFirstCursor(page: Page<unknown>, index: number): void {
    const bytes = checkJson(page.cursorAt(index));
    if (bytes > LARGE_CURSOR_BYTES) {
      this.parts.warn(
        `its cursors are large (${bytes} bytes): each is saved, and sent to whoever listens, about once a second`,
      );
    }
    this.parts.watch.itemsUntilLook = 0; // the clock of the run time starts with this item's end
  }

  /** A source that has nothing to give for now must not keep a stopped run from ending. */
  async #stopWhileAwaitingPage(): Promise<LoopEnd> {
    const { interruption } = this.parts;
    await interruption.requested;
    for (let awaited = this.#awaitedPage; ; awaited = this.#awaitedPage) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_AHEAD_MS).unref());
      const idle = awaited !== undefined && awaited === this.#awaitedPage;
      if ((idle || this.#ended) && interruption.pending)
        return { type: 'interrupt', interruption: interruption.pending };
    }
  }

  async #close(): Promise<void> {
    const { reader, warn } = this.parts;
    const isReading = this.#awaitedPage !== undefined || reader.isReading;
    const closed = (async () => reader.close())().catch((error: unknown) =>
      warn(`closing its source failed: ${error instanceof Error ? error.stack : String(error)}`),
    );
    await (isReading ? Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]) : closed);
  }
}

export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
