import type { Clock } from '../clock.js';
import type { InterruptionRequest } from '../interruption/index.js';
import { BURST_MS } from '../parts/index.js';
import type { WholeLimits } from './whole.limits.js';

/** A longer wait puts the job back. */
const LONGEST_WAIT_MS = 5_000;
/** Settings may change while the run waits. */
const LOOK_MS = 500;
/** Items that are late by less than this follow at once, where several are due in that time: timers are not exact. */
const CATCH_UP_MS = 100;

/** Items of a part that have not begun in this time after they were allowed must ask again. */
const ALLOWED_MS = 100;

interface RatedRun {
  readonly clock: Clock;
  readonly interruption: InterruptionRequest;
  readonly settings: { readonly itemsPerSecond: number };
  /** Of a part: the limit holds for all parts of its job together. */
  readonly limits?: Pick<WholeLimits, 'beginItems'> | undefined;
}

/**
 * Lets at most `itemsPerSecond` items begin (R34). When the next one may begin is saved with the checkpoint, so it also holds
 * for the next run.
 */
export class ItemRate {
  /** Whether there is a limit. Looked at before each item. */
  isLimited = false;
  /** Of a part: items that may begin now. */
  #allowed = 0;
  #allowedUntil = 0;
  /** How many a part asks for at once: as many as it begins before it must ask again. */
  #asked = 1;

  /** @param nextItemAt As the job's last run has saved it. */
  constructor(
    private readonly run: RatedRun,
    public nextItemAt: number | undefined,
  ) {
    this.refresh();
  }

  /** How long after an item the next one may begin, in milliseconds. */
  get intervalMs(): number {
    return 1_000 / this.run.settings.itemsPerSecond;
  }

  /** Called now and then: the settings may have changed. */
  refresh(): void {
    this.isLimited = this.run.settings.itemsPerSecond !== Infinity;
    const { clock, limits } = this.run;
    if (!this.isLimited || limits) this.nextItemAt = undefined;
    // The clock may have been set back, or the limit raised.
    else if (this.nextItemAt !== undefined) this.nextItemAt = Math.min(this.nextItemAt, clock.now() + this.intervalMs);
  }

  /** Whether an item may begin now; if so, it has begun. */
  begin(): boolean {
    this.refresh();
    const { isLimited, intervalMs, nextItemAt = 0 } = this;
    if (!isLimited) return true;
    const now = this.run.clock.now();
    if (this.run.limits) return now < this.#allowedUntil && --this.#allowed >= 0;
    if (this.#waitMs > 0) return false;
    this.nextItemAt = Math.max(nextItemAt, now - (intervalMs < CATCH_UP_MS ? CATCH_UP_MS : 0)) + intervalMs;
    return true;
  }

  /**
   * Waits until an item may begin, or the run must end.
   *
   * @param canPutBack For a long wait, the job is put back; otherwise the run waits.
   */
  async turn(canPutBack: boolean): Promise<void> {
    const { interruption } = this.run;
    while (!interruption.pending && !this.begin()) {
      const waitMs = this.run.limits ? await this.#ask(this.run.limits) : this.#waitMs;
      if (waitMs <= 0) continue;
      if (waitMs > LONGEST_WAIT_MS && canPutBack)
        interruption.request({ reason: 'rate', retryInMs: Math.ceil(waitMs) });
      else await interruption.wait(Math.min(waitMs, LOOK_MS));
    }
  }

  get #waitMs(): number {
    return (this.nextItemAt ?? 0) - this.run.clock.now();
  }

  /** @returns 0, or in how many milliseconds to ask again. */
  async #ask(limits: Pick<WholeLimits, 'beginItems'>): Promise<number> {
    const most = Math.max(1, Math.floor(BURST_MS / this.intervalMs));
    const used = this.#asked - Math.max(0, this.#allowed);
    if (used < this.#asked) this.#asked = Math.max(1, used);
    else if (this.#allowedUntil > 0) this.#asked += Math.ceil(used / 8);
    this.#asked = Math.min(most, this.#asked);
    this.#allowed = 0;
    this.#allowedUntil = 0;
    const waitMs = await limits.beginItems(this.#asked, this.intervalMs);
    if (waitMs > 0) return waitMs;
    this.#allowed = this.#asked;
    this.#allowedUntil = this.run.clock.now() + ALLOWED_MS;
    return 0;
  }
}
