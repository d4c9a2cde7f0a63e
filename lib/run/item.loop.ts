import type { Clock } from '../clock.js';
import { checkJson, LARGE_CURSOR_BYTES } from '../cursor.js';
import type { Page, PageReader } from '../enumerators/contract/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';
import type { Interruption, InterruptionRequest } from './interruption.js';
import type { Lock } from './lock.js';
import type { Position } from './position.js';

/** How the loop ended; a failure is thrown. */
export type LoopEnd =
  | { readonly type: 'complete' }
  | { readonly type: 'stop' }
  | { readonly type: 'interrupt'; readonly interruption: Interruption };

export interface LoopParts {
  readonly reader: PageReader<unknown>;
  readonly handle: (item: unknown) => unknown;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly options: ResolvedRunOptions;
  /** Whether the user asked to finish the job after the item in flight. */
  readonly stopped: () => boolean;
  readonly save: () => Promise<void>;
  readonly warn: (message: string) => void;
}

/** So many items of a synchronous handler are handled between two looks at the clock. */
const ITEMS_PER_LOOK = 64;
/** The event loop gets a turn this often (R13). */
const TURN_MS = 10;
/** How long a stopped run waits to learn whether the page it has asked for is the end. */
const LOOK_AHEAD_MS = 200;

/**
 * Handles item after item until the source ends or the run must stop. Only promises are awaited, and the clock is read
 * before each item that follows one, else every 64 items.
 */
export class ItemLoop {
  #itemsUntilLook = 0;
  #itemsSinceSave = 0;
  #lookedAt = 0;
  #lookAt = 0;
  #turnAt: number;
  #saveAt: number;
  #runtimeEndsAt = Infinity;
  #awaitedPage: PromiseLike<unknown> | undefined;
  #ended = false;

  constructor(private readonly parts: LoopParts) {
    const now = parts.clock.now();
    this.#turnAt = now + TURN_MS;
    this.#saveAt = now + parts.options.checkpoint.everyMs;
  }

  async run(): Promise<LoopEnd> {
    try {
      return await Promise.race([this.#iterate(), this.#stopWhileAwaitingPage()]);
    } finally {
      this.#ended = true;
      await this.#close();
    }
  }

  async #iterate(): Promise<LoopEnd> {
    const { handle, interruption, options, position, stopped } = this.parts;
    const { everyItems } = options.checkpoint;
    if (stopped()) return { type: 'stop' }; // by a hook, or by a run before whose end failed
    for (;;) {
      const next = this.parts.reader.next();
      const page = isPromise(next) ? await this.#awaitPage(next) : next;
      if (!page) return { type: 'complete' };
      const { items } = page;
      for (let index = 0; index < items.length; index++) {
        if (this.#itemsUntilLook-- <= 0 && this.#isDue()) await this.#look();
        if (interruption.pending) return { type: 'interrupt', interruption: interruption.pending };
        if (position.finished === 0) this.#checkFirstCursor(page, index);

        const returned = handle(items[index]);
        if (isPromise(returned)) {
          await returned;
          this.#itemsUntilLook = 0;
        }
        position.advance(page, index);

        if (stopped()) return { type: 'stop' };
        if (++this.#itemsSinceSave >= everyItems && !interruption.pending) await this.#save();
      }
    }
  }

  async #awaitPage(next: PromiseLike<Page<unknown> | undefined>): Promise<Page<unknown> | undefined> {
    this.#awaitedPage = next;
    const page = await next;
    this.#awaitedPage = undefined;
    this.#itemsUntilLook = 0;
    return page;
  }

  /** Looks at the clock: whether anything that goes by time may be due. */
  #isDue(): boolean {
    this.#itemsUntilLook = ITEMS_PER_LOOK - 1;
    const now = this.parts.clock.now();
    return now >= this.#lookAt || now < this.#lookedAt;
  }

  /** Everything that goes by time, in the order in which it may end the run. */
  async #look(): Promise<void> {
    const { clock, interruption, lock, options, position } = this.parts;
    let now = clock.now();
    if (now >= this.#turnAt || now < this.#lookedAt) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      now = clock.now();
      this.#turnAt = now + TURN_MS;
    }
    if (now < this.#lookedAt) this.#followBack(now);
    if (!lock.check(now)) return;
    if (this.#runtimeEndsAt === Infinity && position.finished > 0) this.#runtimeEndsAt = now + options.maxRuntimeMs;
    if (now >= this.#runtimeEndsAt) interruption.request({ reason: 'maxRuntime' });
    if (now >= this.#saveAt && !interruption.pending && this.#itemsSinceSave > 0) await this.#save();
    // Until the clock of the run time has started, every look must see the first finished item.
    const runtimeEndsAt = position.finished === 0 ? 0 : this.#runtimeEndsAt;
    this.#lookAt = Math.min(this.#turnAt, this.#saveAt, runtimeEndsAt, lock.expiresAt);
    this.#lookedAt = now;
  }

  /** The clock was set back: nothing that goes by time may wait for the time that it showed before. */
  #followBack(now: number): void {
    const { checkpoint, maxRuntimeMs } = this.parts.options;
    this.#saveAt = Math.min(this.#saveAt, now + checkpoint.everyMs);
    this.#runtimeEndsAt = Math.min(this.#runtimeEndsAt, now + maxRuntimeMs);
  }

  async #save(): Promise<void> {
    await this.parts.save();
    this.#itemsSinceSave = 0;
    this.#saveAt = this.parts.clock.now() + this.parts.options.checkpoint.everyMs;
  }

  #checkFirstCursor(page: Page<unknown>, index: number): void {
    const bytes = checkJson(page.cursorAt(index));
    if (bytes > LARGE_CURSOR_BYTES) {
      this.parts.warn(
        `its cursors are large (${bytes} bytes): each is saved, and sent to whoever listens, about once a second`,
      );
    }
    this.#itemsUntilLook = 0; // the clock of the run time starts with this item's end
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
    const close = async () => {
      try {
        await reader.close();
      } catch (error) {
        warn(`closing its source failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    };
    const awaited = this.#awaitedPage;
    if (!awaited) return close();
    // Nobody waits for a page that nobody wants; its source is closed when it has come.
    void awaited.then(close, close);
  }
}

export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
