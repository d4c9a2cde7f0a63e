import type { Clock } from '../clock.js';

/** Where a job's run time goes, in milliseconds. */
interface TimeSplit {
  readonly readingMs: number;
  readonly handlingMs: number;
}

/**
 * Splits a run's time into waiting for the source, and handling items: all of its loop that is neither that nor a wait of the
 * run's own. With items in flight, the time in which the run waits for its source counts as reading.
 */
export class RunTimes {
  #loopBeganAt: number | undefined;
  #readingSince: number | undefined;
  #readingMs: number;
  #handlingMs: number;
  /** Of the loop so far, not spent handling. */
  #otherMs = 0;

  constructor(
    private readonly clock: Clock,
    { readingMs = 0, handlingMs = 0 }: Partial<TimeSplit>,
  ) {
    this.#readingMs = readingMs;
    this.#handlingMs = handlingMs;
  }

  get current(): TimeSplit {
    const loopMs = this.#loopBeganAt === undefined ? 0 : Math.max(0, this.clock.now() - this.#loopBeganAt);
    return { readingMs: this.#readingMs, handlingMs: this.#handlingMs + Math.max(0, loopMs - this.#otherMs) };
  }

  beginLoop(): void {
    this.#loopBeganAt = this.clock.now();
  }

  endLoop(): void {
    this.#handlingMs = this.current.handlingMs;
    this.#loopBeganAt = undefined;
    this.#otherMs = 0;
  }

  /** The run waits for its source. Without a promise of its own: a source may give item by item. */
  beginReading(): void {
    this.#readingSince = this.clock.now();
  }

  /** Also where the run no longer waits, though the source has not answered. */
  endReading(): void {
    if (this.#readingSince === undefined) return;
    const ms = Math.max(0, this.clock.now() - this.#readingSince);
    this.#readingSince = undefined;
    this.#readingMs += ms;
    this.#otherMs += ms;
  }

  /** The run waits for something else than a handler. */
  async waiting<T>(wait: Promise<T>): Promise<T> {
    const beganAt = this.clock.now();
    try {
      return await wait;
    } finally {
      this.#otherMs += Math.max(0, this.clock.now() - beganAt);
    }
  }
}
