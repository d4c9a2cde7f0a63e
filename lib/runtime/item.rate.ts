import type { Clock } from '../clock.js';
import type { InterruptionRequest } from '../interruption/index.js';

/** A longer wait puts the job back. */
const LONGEST_WAIT_MS = 5_000;
/** Settings may change while the run waits. */
const LOOK_MS = 500;
/** Items that are late by less than this follow at once, where several are due in that time: timers are not exact. */
const CATCH_UP_MS = 100;

interface RatedRun {
  readonly clock: Clock;
  readonly interruption: InterruptionRequest;
  readonly settings: { readonly itemsPerSecond: number };
}

/**
 * Lets at most `itemsPerSecond` items begin (R34). When the next one may begin is saved with the checkpoint, so it also holds
 * for the next run.
 */
export class ItemRate {
  /** Whether there is a limit. Looked at before each item. */
  isLimited = false;

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
    if (!this.isLimited) this.nextItemAt = undefined;
  }

  /** Whether an item may begin now; if so, it has begun. */
  begin(): boolean {
    this.refresh();
    const { isLimited, intervalMs, nextItemAt = 0 } = this;
    if (!isLimited) return true;
    const now = this.run.clock.now();
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
      const waitMs = this.#waitMs;
      if (waitMs > LONGEST_WAIT_MS && canPutBack)
        interruption.request({ reason: 'rate', retryInMs: Math.ceil(waitMs) });
      else await interruption.wait(Math.min(waitMs, LOOK_MS));
    }
  }

  /** Never longer than the interval: the clock may have been set back, or the limit raised. */
  get #waitMs(): number {
    return Math.min((this.nextItemAt ?? 0) - this.run.clock.now(), this.intervalMs);
  }
}
