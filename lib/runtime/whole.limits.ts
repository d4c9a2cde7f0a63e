import type { Job } from 'bullmq';
import {
  type Checkpoint,
  canaryOf,
  type ProgressTracker,
  type SharedStore,
  type TunedSettings,
} from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { type InterruptionRequest, isOutage, type Lock, retryWhileHeld } from '../interruption/index.js';
import { type Part, partOf, type SkipCount, WholeJob } from '../parts/index.js';

/** How often a part renews its share, and writes what it has seen. */
const RENEW_MS = 1_000;
/** The longest time after which a part that waits for others looks again. */
const LONGEST_LOOK_MS = 60_000;

interface LimitedRun {
  readonly clock: Clock;
  readonly control: { readonly isCanaryDone: boolean; readonly tuned: TunedSettings };
  readonly definition: ProcessorDefinition;
  readonly interruption: InterruptionRequest;
  readonly job: Job;
  readonly lock: Lock;
  readonly store: SharedStore;
}

/** The limits that a part shares with the other parts of its job (R27): kept while the part runs, and given back at its end. */
export class WholeLimits {
  readonly #whole: WholeJob;
  #slots = 0;
  #slotsUntil = Infinity;
  #ahead = 0;
  #canary: number | undefined;
  #canaryLeft: number | undefined;
  /** Items that the part had passed when the run began. */
  #passed = 0;
  #progress: ProgressTracker | undefined;
  #renewals: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  /** Items that are handled now, of a part that handles several at a time. */
  inFlight = 0;

  private constructor(
    private readonly run: LimitedRun,
    readonly part: Part,
  ) {
    this.#whole = new WholeJob(run.store, part);
  }

  /** Undefined: the job is no part. */
  static of(run: LimitedRun): WholeLimits | undefined {
    const part = partOf(run.job);
    return part && new WholeLimits(run, part);
  }

  /** How many items this part may have in flight. Without a limit for the whole job, one. */
  get itemConcurrency(): number {
    return this.#limit === Infinity ? 1 : Math.max(1, this.#slots); // with none, the run ends before its next item
  }

  /** Of the whole job's first items (R35), those that this part may handle; undefined: all. */
  get canaryLeft(): number | undefined {
    const { itemsSeen = this.#passed } = this.#progress?.current ?? {}; // a transaction may have committed more
    return this.#canaryLeft === undefined ? undefined : Math.max(0, this.#canaryLeft - (itemsSeen - this.#passed));
  }

  /**
   * Before the run.
   *
   * @returns 0, or in how many milliseconds to look again, since other parts have what this one needs.
   * @throws LockLostError
   */
  async begin({ passed }: Checkpoint): Promise<number> {
    const { control, job } = this.run;
    this.#passed = passed;
    this.#canary = control.isCanaryDone ? undefined : canaryOf(job);
    if (this.#canary !== undefined) {
      this.#canaryLeft = await this.#surely(() => this.#takeCanary(passed));
      if (this.#canaryLeft === undefined) return this.#lookAgainMs;
    }
    if (this.#limit !== Infinity && (await this.#surely(() => this.#takeSlots())) === 0) return this.#lookAgainMs;
    this.#renewals = setInterval(() => {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined;
      });
    }, RENEW_MS).unref();
    return 0;
  }

  /** The run has begun. */
  follow(progress: ProgressTracker): void {
    this.#progress = progress;
  }

  /** See {@link WholeJob.beginItems}. */
  beginItems(count: number, intervalMs: number): Promise<number> {
    return this.#surely(() => this.#whole.beginItems(count, intervalMs));
  }

  /** See {@link WholeJob.countSkips}. */
  countSkips(own: SkipCount, isReached: (all: SkipCount) => boolean): ReturnType<WholeJob['countSkips']> {
    return this.#surely(() => this.#whole.countSkips(own, isReached));
  }

  /** Before the end of the run is reported: then other parts may wait no longer for what this one holds. */
  async end(): Promise<void> {
    clearInterval(this.#renewals);
    if (!this.#progress || !this.#holds) return;
    const { itemsSeen: seen } = this.#progress.current;
    const skips = this.#isPercent ? this.#skips : undefined;
    const { interruption } = this.run;
    const release = async () => {
      await this.#renewing; // it would take what was given back
      await this.#surely(() => this.#whole.release({ skips, seen }));
    };
    // What cannot be given back expires.
    await interruption.untilAbandoned(release().catch(() => {}));
  }

  get #holds(): boolean {
    return this.#canaryLeft !== undefined || this.#slots > 0 || this.#isPercent;
  }

  /** Of items in flight in the whole job. */
  get #limit(): number {
    const { control, definition } = this.run;
    return control.tuned.itemConcurrency ?? definition.options.maxItemsInFlight;
  }

  get #isPercent(): boolean {
    const { limit, then: next } = this.run.definition.options.itemFailure;
    return next === 'skip' && typeof limit === 'object';
  }

  get #skips(): SkipCount | undefined {
    const progress = this.#progress?.current;
    return progress && { skipped: progress.skipped, seen: progress.itemsSeen };
  }

  /** Parts run in the order of their list: the later a part, the later it looks again. Of parts that look at once, one succeeds. */
  get #lookAgainMs(): number {
    const turns = Math.max(1, this.#ahead / this.#limit); // 1 without a limit
    return Math.round(Math.min(RENEW_MS * turns, LONGEST_LOOK_MS) * (0.5 + Math.random()));
  }

  #takeCanary(seen: number): Promise<number | undefined> {
    return this.#whole.takeCanary(this.#canary as number, { seen, forMs: this.run.lock.durationMs });
  }

  async #takeSlots(): Promise<number> {
    const { clock, definition, lock } = this.run;
    const sentAt = clock.now();
    const { items, ahead } = await this.#whole.takeSlots(this.#limit, {
      inFlight: this.#progress ? Math.max(1, this.inFlight) : 0,
      forMs: lock.durationMs,
      ...(definition.transactions && { wants: 1 }),
    });
    this.#slots = items;
    this.#ahead = ahead;
    this.#slotsUntil = sentAt + lock.durationMs;
    return items;
  }

  async #renew(): Promise<void> {
    const { clock, control, interruption } = this.run;
    let isLost = false;
    try {
      if (this.#isPercent && this.#skips) await this.#whole.countSkips(this.#skips);
      if (this.#limit !== Infinity) await this.#takeSlots();
      const { itemsSeen } = this.#progress?.current ?? {};
      if (this.#canaryLeft !== undefined && itemsSeen !== undefined && !control.isCanaryDone)
        isLost = (await this.#takeCanary(itemsSeen)) === undefined;
    } catch {
      // The backend is away: what this part holds is its own until it expires.
    }
    isLost ||= this.#limit !== Infinity && (this.#slots === 0 || clock.now() > this.#slotsUntil);
    if (isLost) interruption.request({ reason: 'throttle', retryInMs: this.#lookAgainMs });
  }

  /** @throws LockLostError */
  #surely<T>(ask: () => Promise<T>): Promise<T> {
    return retryWhileHeld(this.run.lock, ask, isOutage);
  }
}
