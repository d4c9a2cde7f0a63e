import type { CheckpointWriter, ProgressTracker, RunTimes } from '../checkpoint/index.js';
import { LONGEST_TIMER_MS } from '../rules.js';
import { ItemCountdown } from './item.countdown.js';
import type { ItemRate } from './item.rate.js';
import type { RunInputs } from './run.inputs.js';

interface TimedRun extends Pick<RunInputs, 'clock' | 'definition' | 'interruption' | 'lock' | 'quarantine'> {
  readonly progress: ProgressTracker;
  readonly times: Pick<RunTimes, 'waiting'>;
  readonly rate: ItemRate;
  readonly checkpoint: Pick<CheckpointWriter, 'current' | 'flush' | 'flushBegun'>;
}

interface RunTimerOptions {
  /** The run before died without reporting an outcome: items are isolated, for one second of work (R19). */
  readonly isolate: boolean;
  /** Looked at with each checkpoint. */
  readonly size?: { checkNotEndless(): Promise<void> };
}

/** The event loop gets a turn this often (R13). */
const TURN_MS = 10;
/** With fewer items a second than one, each begins with a checkpoint. */
const SLOW_INTERVAL_MS = 1_000;
/** A run without a crash for this long is trusted again. */
const ISOLATION_MS = 1_000;

/** Everything in a run that depends on time: turns of the event loop, the lock, the run time, checkpoints. */
export class RunTimer {
  readonly #countdown = new ItemCountdown();
  /** Moves since the last checkpoint: items, and pages without any. */
  #unsaved = 0;
  #lookedAt = 0;
  #lookAt = 0;
  #turnAt: number;
  #saveAt: number;
  #runtime: NodeJS.Timeout | undefined;
  readonly #begun: NodeJS.Timeout;
  /** How often processes have died in the item after the cursor. */
  readonly #crashes: number;
  #isIsolating: boolean;
  #movesPerSave: number;
  #isolatesUntil = Infinity;
  #awaitsTurn: boolean;
  #endTurn: (() => void) | undefined;

  constructor(
    private readonly run: TimedRun,
    private readonly options: RunTimerOptions,
  ) {
    const { checkpoint, definition } = run;
    const { everyItems, everyMs } = definition.options.checkpoint;
    const now = run.clock.now();
    this.#isIsolating = options.isolate;
    this.#movesPerSave = options.isolate ? 1 : everyItems;
    this.#crashes = checkpoint.current.crashes?.length ?? 0;
    this.#awaitsTurn = options.isolate && this.#crashes > 0;
    this.#turnAt = now + TURN_MS;
    this.#saveAt = now + everyMs;
    const flushBegun = () => checkpoint.flushBegun().catch(() => {}); // the next checkpoint reports what it refuses
    this.#begun = setTimeout(flushBegun, Math.min(everyMs, LONGEST_TIMER_MS)).unref();
  }

  /** Whether each item is handled by itself, between two checkpoints (R19). */
  get isIsolating(): boolean {
    return this.#isIsolating;
  }

  /** Called before each item: whether to {@link look}, without reading the clock each time. */
  isDueBeforeItem(): boolean {
    return this.#countdown.isOver() && this.isDue();
  }

  /** Looks at the clock: whether anything may be due. */
  isDue(): boolean {
    if (this.#isIsolating) return true;
    const now = this.run.clock.now();
    this.#countdown.restart();
    return now >= this.#lookAt || now < this.#lookedAt;
  }

  /** Does what is due, in the order in which it may end the run. @throws LockLostError */
  async look(): Promise<void> {
    const { clock, interruption, lock, progress, rate } = this.run;
    rate.refresh();
    if (this.#awaitsTurn) await this.#awaitTurn();
    let now = clock.now();
    if (now >= this.#turnAt || now < this.#lookedAt) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      now = clock.now();
      this.#turnAt = now + TURN_MS;
    }
    if (now < this.#lookedAt) this.#saveAt = Math.min(this.#saveAt, now + this.#everyMs); // the clock was set back
    lock.assertHeld();
    this.#startRuntime();
    if (now >= this.#saveAt && !interruption.pending && this.#unsaved > 0) {
      await this.save();
      lock.assertHeld(); // the answer may have waited for a frozen process to thaw (R20)
    }
    // The run time is counted from the first finished item, which must not be missed.
    this.#lookAt = progress.finished === 0 ? 0 : Math.min(this.#turnAt, this.#saveAt, lock.expiresAt);
    this.#lookedAt = now;
    if (!this.#isIsolating) return;
    await this.#markItem(now);
    lock.assertHeld();
  }

  /** While the run waits for something: interrupts it when its lock has expired. */
  lookWhileAwaiting(): void {
    if (!this.run.lock.endIfExpired()) this.#startRuntime();
  }

  /** Before an item, where `itemsPerSecond` limits them (R34). The run may be interrupted meanwhile. */
  async awaitRate({ canStopHere }: { readonly canStopHere: boolean }): Promise<void> {
    const { interruption, rate, times } = this.run;
    const isSlow = rate.intervalMs >= SLOW_INTERVAL_MS;
    if (isSlow) await this.saveBeforeWait();
    await times.waiting(rate.turn(canStopHere));
    if (interruption.pending) return;
    // If the process dies in the item, the next run knows when the next one may begin.
    if (isSlow) await this.save();
    await this.look(); // last: it marks the item (R19)
  }

  /** Called for each move; whether a checkpoint is due by their number. */
  moved(): boolean {
    return ++this.#unsaved >= this.#movesPerSave && !this.run.interruption.pending;
  }

  async save(): Promise<void> {
    if (this.#unsaved > 0) this.#endTurn?.();
    this.#unsaved = 0;
    void this.options.size?.checkNotEndless();
    const { checkpoint, times } = this.run;
    await times.waiting(checkpoint.flush(this.#isIsolating ? 'careful' : 'items'));
    this.#saveAt = this.run.clock.now() + this.#everyMs;
  }

  /** Before a wait that may be long, during which no handler is at work (R18, R19). */
  async saveBeforeWait(): Promise<void> {
    if (this.#isIsolating || this.#unsaved > 0) await this.save();
  }

  /** The run has ended. */
  end(): void {
    clearTimeout(this.#begun);
    clearTimeout(this.#runtime);
    this.#endTurn?.();
  }

  get #everyMs(): number {
    return this.run.definition.options.checkpoint.everyMs;
  }

  /** A suspect item is handled by itself, so that no other job's item is blamed for it (R19). */
  async #awaitTurn(): Promise<void> {
    const { interruption, quarantine } = this.run;
    this.#awaitsTurn = false;
    this.#endTurn = await quarantine.turn(this.#crashes, interruption.requested);
  }

  /** Before an item is handled: if the process dies in it, the next run knows (R19). */
  async #markItem(now: number): Promise<void> {
    const { checkpoint, interruption } = this.run;
    if (this.#isolatesUntil === Infinity) this.#isolatesUntil = now + ISOLATION_MS;
    if (now >= this.#isolatesUntil) this.#trust();
    else if (!interruption.pending) await checkpoint.flush('careful item');
  }

  #trust(): void {
    this.#isIsolating = false;
    this.#movesPerSave = this.run.definition.options.checkpoint.everyItems;
  }

  /** R3: `maxRuntimeMs` counts from the first finished item. */
  #startRuntime(): void {
    const { definition, interruption, progress } = this.run;
    const { maxRuntimeMs } = definition.options;
    if (this.#runtime || progress.finished === 0 || maxRuntimeMs === Infinity) return;
    const end = () => interruption.request({ reason: 'maxRuntime' });
    this.#runtime = setTimeout(end, Math.min(maxRuntimeMs, LONGEST_TIMER_MS)).unref();
  }
}
