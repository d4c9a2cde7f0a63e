import { setTimeout as delay } from 'node:timers/promises';
import type { RunTimes } from '../checkpoint/index.js';
import { isThrottled, type Next, type Page, pageSlice, type RunReader } from '../enumerators/contract/index.js';
import type { Interruption, InterruptionRequest } from '../interruption/index.js';
import { isPromise } from '../is.promise.js';

/** How the items of a run ended; a failure is thrown. */
export type LoopOutcome =
  | { readonly type: 'complete' }
  /** The user finished the job early. */
  | { readonly type: 'stopped' }
  | { readonly type: 'interrupted'; readonly interruption: Interruption };

export interface SourcePagesOptions {
  readonly interruption: InterruptionRequest;
  readonly times: Pick<RunTimes, 'beginReading' | 'endReading'>;
  /** The run pauses its job after so many items (R35). */
  readonly canary?: { readonly items: number; readonly pause: () => void } | undefined;
  /** Called every 250 ms while a page is awaited. */
  readonly whileAwaiting: () => void;
  readonly warn: (message: string) => void;
}

/** How long an interrupted run waits to learn whether the page it has asked for is the end. */
const LOOK_AHEAD_MS = 200;
const AWAITING_LOOK_MS = 250;
/** How long a run waits for its source to close while the source still waits for a page that nobody needs. */
const CLOSE_MS = 200;

/** The pages of a run's source, until the source ends or the run must. */
export class SourcePages {
  readonly #looks: NodeJS.Timeout;
  /** Set while a page is awaited. */
  #awaiting: { readonly giveUp: () => void } | undefined;
  #isClosed = false;
  /** Pages that come before the reader's, the next one last. */
  readonly #putBack: Page<unknown>[] = [];
  /** Items until the canary pauses the job. */
  #untilPause: number;
  #stop!: () => void;
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  constructor(
    private readonly reader: RunReader<unknown>,
    private readonly options: SourcePagesOptions,
  ) {
    this.#untilPause = options.canary?.items ?? Infinity;
    this.#looks = setInterval(() => {
      if (this.#awaiting) options.whileAwaiting();
    }, AWAITING_LOOK_MS).unref();
    void this.#giveUpAwaiting();
  }

  /** A promise only where the source returns one. */
  next(): Page<unknown> | LoopOutcome | Promise<Page<unknown> | LoopOutcome> {
    const { interruption } = this.options;
    const rest = this.#putBack.pop();
    if (rest) return this.#cut(rest);
    if (this.#untilPause === 0 && this.reader.destructiveRead) this.options.canary?.pause();
    if (interruption.pending && this.reader.destructiveRead) return interruptedBy(interruption);
    const next = this.reader.next();
    return isPromise(next) ? this.#await(next) : this.#pageOrEnd(next);
  }

  /** Items already removed from the source must be handled, unless another worker has the job. */
  get canStopHere(): boolean {
    return !this.reader.destructiveRead || this.options.interruption.pending?.reason === 'lockLost';
  }

  /** The items of a page from `index` on come again. */
  putBack(page: Page<unknown>, index: number): void {
    const rest = pageSlice(page, index);
    this.#putBack.push(rest);
    this.#untilPause += rest.items.length;
  }

  /** The run ends for another reason than an interruption: a page that is slow to come is given up. */
  stop(): void {
    this.#stop();
  }

  /** Called once, when no further page is asked for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looks);
    const isReading = this.#awaiting !== undefined || this.reader.isReading;
    const closed = (async () => this.reader.close())().catch((error: unknown) =>
      this.options.warn(`closing its source failed: ${error instanceof Error ? error.stack : String(error)}`),
    );
    await (isReading ? Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]) : closed);
  }

  #await(next: PromiseLike<Next<unknown>>): Promise<Page<unknown> | LoopOutcome> {
    const { interruption, times } = this.options;
    times.beginReading();
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        times.endReading();
        resolve(interruptedBy(interruption));
      };
      this.#awaiting = { giveUp };
      next.then(
        (page) => {
          times.endReading();
          this.#awaiting = undefined;
          resolve(this.#pageOrEnd(page));
        },
        (error: unknown) => {
          times.endReading();
          this.#awaiting = undefined;
          reject(error);
        },
      );
    });
  }

  #pageOrEnd(next: Next<unknown>): Page<unknown> | LoopOutcome {
    if (!next) return { type: 'complete' };
    if (!isThrottled(next)) return this.#cut(next);
    this.options.interruption.request({ reason: 'throttle', retryInMs: next.retryInMs });
    return interruptedBy(this.options.interruption);
  }

  /** Up to the canary's pause. Only a source that has more items is paused: another one is complete. */
  #cut(page: Page<unknown>): Page<unknown> | LoopOutcome {
    const count = page.items.length;
    if (this.#untilPause >= count) {
      this.#untilPause -= count;
      return page;
    }
    if (this.#untilPause === 0) {
      this.options.canary?.pause();
      return interruptedBy(this.options.interruption);
    }
    const items = this.#untilPause;
    this.#untilPause = 0;
    if (this.reader.destructiveRead) return page; // what was taken must be handled
    this.#putBack.push(pageSlice(page, items));
    return pageSlice(page, 0, items);
  }

  /** A source that has nothing to give for now must not keep a run from ending. */
  async #giveUpAwaiting(): Promise<void> {
    await Promise.race([this.options.interruption.requested, this.#stopped]);
    while (!this.#isClosed) {
      const awaiting = this.#awaiting;
      await delay(LOOK_AHEAD_MS, undefined, { ref: false });
      if (awaiting === this.#awaiting) awaiting?.giveUp();
    }
  }
}

/** The run ends before its job does: for what was requested, otherwise because its lock is lost. */
export function interruptedBy({ pending }: InterruptionRequest): LoopOutcome & { type: 'interrupted' } {
  return { type: 'interrupted', interruption: pending ?? { reason: 'lockLost' } };
}

/** Whether the run ends here. */
export function isEnd(next: Page<unknown> | LoopOutcome): next is LoopOutcome {
  return 'type' in next;
}
