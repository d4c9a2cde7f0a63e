import type { Clock } from '../clock.js';
import type { InterruptionRequest } from './interruption.js';

/** Another worker has the job, or may have it soon: the run ends, and nothing more that it does counts. */
export class LockLostError extends Error {
  override readonly name = 'LockLostError';

  constructor() {
    super("The job's lock is lost: another worker resumes the job");
  }
}

/**
 * What a run knows of its job's lock. The lock is held as long as BullMQ confirmed it less than `durationMs` ago, counted
 * from when the confirming command was *sent*: an answer may have waited for a frozen process to thaw.
 */
export class Lock {
  #expiresAt: number;

  constructor(
    readonly token: string,
    private readonly options: {
      readonly acquiredAt: number;
      readonly durationMs: number;
      readonly interruption: InterruptionRequest;
      readonly clock: Clock;
    },
  ) {
    this.#expiresAt = options.acquiredAt + options.durationMs;
  }

  /** How long it is held after each confirmation. */
  get durationMs(): number {
    return this.options.durationMs;
  }

  /** When the lock expires unless it is confirmed again, in milliseconds since 1970. */
  get expiresAt(): number {
    return this.#expiresAt;
  }

  get isHeld(): boolean {
    const now = this.options.clock.now();
    this.#expiresAt = Math.min(this.#expiresAt, now + this.options.durationMs); // the clock may have been set back
    return now < this.#expiresAt;
  }

  confirm(sentAt: number): void {
    this.#expiresAt = Math.max(this.#expiresAt, sentAt + this.options.durationMs);
  }

  /** @throws LockLostError when the lock has expired; the run is then interrupted. */
  assertHeld(): void {
    if (this.endIfExpired()) throw new LockLostError();
  }

  /** For whoever looks at the lock beside the run: interrupts the run of an expired lock. */
  endIfExpired(): boolean {
    if (this.isHeld) return false;
    this.lose();
    return true;
  }

  /** The backend says that the lock is another's, or nobody's. */
  lose(): LockLostError {
    this.#expiresAt = -Infinity;
    this.options.interruption.loseLock();
    return new LockLostError();
  }
}
