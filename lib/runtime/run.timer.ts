import type { Position, Running } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { Suspects } from '../crashes/index.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';

export interface WatchParts {
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly options: ResolvedRunOptions;
  /** The run before ended without a word: items are watched one by one, for a second of work (R19). */
  readonly careful: boolean;
  /** How often processes have ended in the item behind the cursor, and the other suspects of this one. */
  readonly suspicion?: { readonly crashes: number; readonly suspects: Suspects };
  /** Saves the position, and where the run is. */
  readonly save: (running: Running) => Promise<void>;
}

/** Most items that are handled between two looks at the clock (R20)... */
const UNSEEN_ITEMS = 15;
/** ... and only after so many times as many since the event loop had its last turn: they cannot have taken long. */
const SEEN_PER_UNSEEN = 128;
/** The event loop gets a turn this often (R13). */
const TURN_MS = 10;
/** So long must items be handled without a crash for the run to be trusted again. */
const CAREFUL_MS = 1_000;

/** Everything of a run that goes by time: turns of the event loop, the lock, the time limit, checkpoints. */
export class RunWatch {
  /** Counted down with each item; at 0 it is time to look at the clock. */
  itemsUntilLook = 0;
  #itemsThisTurn = 0;
  #awaitsTick = false;
  /** What has moved since the position was saved: items, and pages without any. */
  #unsaved = 0;
  #lookedAt = 0;
  #lookAt = 0;
  #turnAt: number;
  #saveAt: number;
  #runtimeEndsAt = Infinity;
  #isCareful: boolean;
  /** So many moves are saved at once. */
  #movesPerSave: number;
  #carefulUntil = Infinity;
  #awaitsTurn: boolean;
  #endTurn: (() => void) | undefined;

  constructor(private readonly parts: WatchParts) {
    const now = parts.clock.now();
    this.#isCareful = parts.careful;
    this.#movesPerSave = parts.careful ? 1 : parts.options.checkpoint.everyItems;
    this.#awaitsTurn = parts.careful && parts.suspicion !== undefined && parts.suspicion.crashes > 0;
    this.#turnAt = now + TURN_MS;
    this.#saveAt = now + parts.options.checkpoint.everyMs;
  }

  /** Whether items are watched one by one (R19). */
  get isCareful(): boolean {
    return this.#isCareful;
  }

  /** Looks at the clock: whether anything that goes by time may be due. */
  isDue(): boolean {
    if (this.#isCareful) return true;
    const now = this.parts.clock.now();
    this.#itemsThisTurn++;
    this.itemsUntilLook = Math.min(UNSEEN_ITEMS, Math.floor(this.#itemsThisTurn / SEEN_PER_UNSEEN));
    this.#itemsThisTurn += this.itemsUntilLook;
    if (!this.#awaitsTick) this.#lookAfterWaiting();
    return now >= this.#lookAt || now < this.#lookedAt;
  }

  /** Everything that goes by time, in the order in which it may end the run. */
  async look(): Promise<void> {
    const { clock, interruption, lock, position } = this.parts;
    if (this.#awaitsTurn) await this.#awaitTurn();
    let now = clock.now();
    if (now >= this.#turnAt || now < this.#lookedAt) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      now = clock.now();
      this.#turnAt = now + TURN_MS;
    }
    if (now < this.#lookedAt) this.#followBack(now);
    if (!this.#mayGoOn(now)) return;
    if (now >= this.#saveAt && !interruption.pending && this.#unsaved > 0) {
      await this.save();
      if (!this.#mayGoOn(clock.now())) return; // the answer may have waited for a frozen process to thaw (R20)
    }
    // Until the clock of the run time has started, every look must see the first finished item.
    const runtimeEndsAt = position.finished === 0 ? 0 : this.#runtimeEndsAt;
    this.#lookAt = Math.min(this.#turnAt, this.#saveAt, runtimeEndsAt, lock.expiresAt);
    this.#lookedAt = now;
    if (!this.#isCareful) return;
    await this.#markItem(now);
    this.#mayGoOn(clock.now());
  }

  /** While nothing moves: whether the lock and the time still last. */
  lookWhileAwaiting(): void {
    this.#mayGoOn(this.parts.clock.now());
  }

  /** Told that the position has moved: whether it is to be saved now. */
  moved(): boolean {
    return ++this.#unsaved >= this.#movesPerSave && !this.parts.interruption.pending;
  }

  async save(): Promise<void> {
    if (this.#unsaved > 0) this.#endTurn?.();
    this.#unsaved = 0;
    await this.parts.save(this.#isCareful ? 'careful' : 'items');
    this.#saveAt = this.parts.clock.now() + this.parts.options.checkpoint.everyMs;
  }

  /** Before a wait that may be long, no handler being at work meanwhile (R18, R19). */
  async saveBeforeWait(): Promise<void> {
    if (this.#isCareful || this.#unsaved > 0) await this.save();
  }

  /** The run is over. */
  end(): void {
    this.#endTurn?.();
  }

  /**
   * Reading the clock costs as much as an item that does nothing, and while a run does not wait, little time goes by. Node
   * calls `nextTick` when no microtask is left: a handler that waits for nothing is never that long away.
   */
  #lookAfterWaiting(): void {
    this.#awaitsTick = true;
    process.nextTick(() => {
      this.#awaitsTick = false;
      this.#itemsThisTurn = 0;
      this.itemsUntilLook = 0;
    });
  }

  /** An item under suspicion is handled by itself, so that no other job's is blamed for it (R19). */
  async #awaitTurn(): Promise<void> {
    const { interruption, suspicion } = this.parts;
    this.#awaitsTurn = false;
    this.#endTurn = await suspicion?.suspects.turn(suspicion.crashes, interruption.requested);
  }

  /** Before an item is handled: should the process end in it, the next run will know (R19). */
  async #markItem(now: number): Promise<void> {
    if (this.#carefulUntil === Infinity) this.#carefulUntil = now + CAREFUL_MS;
    if (now >= this.#carefulUntil) this.#trust();
    else if (!this.parts.interruption.pending) await this.parts.save('careful item');
  }

  #trust(): void {
    this.#isCareful = false;
    this.#movesPerSave = this.parts.options.checkpoint.everyItems;
  }

  /** Whether the lock is held; requests the end of the run when its time is over. */
  #mayGoOn(now: number): boolean {
    const { interruption, lock, options, position } = this.parts;
    if (!lock.check(now)) return false;
    if (this.#runtimeEndsAt === Infinity && position.finished > 0) this.#runtimeEndsAt = now + options.maxRuntimeMs;
    if (now >= this.#runtimeEndsAt) interruption.request({ reason: 'maxRuntime' });
    return true;
  }

  /** The clock was set back: nothing that goes by time may wait for the time that it showed before. */
  #followBack(now: number): void {
    const { checkpoint, maxRuntimeMs } = this.parts.options;
    this.#saveAt = Math.min(this.#saveAt, now + checkpoint.everyMs);
    this.#runtimeEndsAt = Math.min(this.#runtimeEndsAt, now + maxRuntimeMs);
  }
}
