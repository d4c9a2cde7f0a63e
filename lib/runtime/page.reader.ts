import { setTimeout as delay } from 'node:timers/promises';
import { isThrottled, type Next, type Page, type RunReader } from '../enumerators/contract/index.js';
import type { Interruption, InterruptionRequest } from '../interruption/index.js';
import { isPromise } from '../is.promise.js';
import type { RunWatch } from './run.timer.js';

/** How the items of a run ended; a failure is thrown. */
export type LoopEnd =
  | { readonly type: 'complete' }
  | { readonly type: 'stop' }
  | { readonly type: 'interrupt'; readonly interruption: Interruption };

export interface FeedParts {
  readonly reader: RunReader<unknown>;
  readonly interruption: InterruptionRequest;
  readonly watch: Pick<RunWatch, 'lookWhileAwaiting'>;
  readonly warn: (message: string) => void;
}

/** How long a stopped run waits to learn whether the page it has asked for is the end. */
const LOOK_AHEAD_MS = 200;
/** How often the lock and the run time are looked at while a page is awaited. */
const AWAITING_LOOK_MS = 250;
/** How long a run waits for its source to close when that waits for a page nobody wants any more. */
const CLOSE_MS = 200;

/** The pages of a run's source, up to where the source ends, or the run must. */
export class PageFeed {
  readonly #looks: NodeJS.Timeout;
  /** While a page is awaited. */
  #awaiting: { readonly giveUp: () => void } | undefined;
  #isClosed = false;
  #stop!: () => void;
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  constructor(private readonly parts: FeedParts) {
    this.#looks = setInterval(() => {
      if (this.#awaiting) parts.watch.lookWhileAwaiting();
    }, AWAITING_LOOK_MS).unref();
    void this.#giveUpAwaiting();
  }

  /** A promise only where the source gives one. */
  next(): Page<unknown> | LoopEnd | Promise<Page<unknown> | LoopEnd> {
    const { interruption, reader } = this.parts;
    if (interruption.pending && reader.consuming) return interruptedBy(interruption);
    const next = reader.next();
    return isPromise(next) ? this.#await(next) : this.#follow(next);
  }

  /** What is gone from its source is handled, unless another worker has the job. */
  get mayLeave(): boolean {
    return !this.parts.reader.consuming || this.parts.interruption.pending?.reason === 'lockLost';
  }

  /** The run ends for another reason than an interruption: a page that is awaited for long is given up. */
  stop(): void {
    this.#stop();
  }

  /** Called once, when no further page is asked for. */
  async close(): Promise<void> {
    const { reader, warn } = this.parts;
    this.#isClosed = true;
    clearInterval(this.#looks);
    const isReading = this.#awaiting !== undefined || reader.isReading;
    const closed = (async () => reader.close())().catch((error: unknown) =>
      warn(`closing its source failed: ${error instanceof Error ? error.stack : String(error)}`),
    );
    await (isReading ? Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]) : closed);
  }

  #await(next: PromiseLike<Next<unknown>>): Promise<Page<unknown> | LoopEnd> {
    return new Promise((resolve, reject) => {
      this.#awaiting = { giveUp: () => resolve(interruptedBy(this.parts.interruption)) };
      next.then(
        (page) => {
          this.#awaiting = undefined;
          resolve(this.#follow(page));
        },
        (error: unknown) => {
          this.#awaiting = undefined;
          reject(error);
        },
      );
    });
  }

  #follow(next: Next<unknown>): Page<unknown> | LoopEnd {
    if (!next) return { type: 'complete' };
    if (!isThrottled(next)) return next;
    this.parts.interruption.request({ reason: 'throttle', retryInMs: next.retryInMs });
    return interruptedBy(this.parts.interruption);
  }

  /** A source that has nothing to give for now must not keep a stopped run from ending. */
  async #giveUpAwaiting(): Promise<void> {
    await Promise.race([this.parts.interruption.requested, this.#stopped]);
    while (!this.#isClosed) {
      const awaiting = this.#awaiting;
      await delay(LOOK_AHEAD_MS, undefined, { ref: false });
      if (awaiting === this.#awaiting) awaiting?.giveUp();
    }
  }
}

/** The run ends before its job does: for what was requested, else because it could not go on. */
export function interruptedBy({ pending }: InterruptionRequest): LoopEnd {
  return { type: 'interrupt', interruption: pending ?? { reason: 'lockLost' } };
}

/** Whether the run ends here. */
export function isEnd(next: Page<unknown> | LoopEnd): next is LoopEnd {
  return 'type' in next;
}
