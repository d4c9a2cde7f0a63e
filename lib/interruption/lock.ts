import type { InterruptionRequest } from './interruption.js';

/**
 * What a run knows of its job's lock. It is held as long as BullMQ confirmed it less than `durationMs` ago, counted from
 * when the confirming command was *sent*: an answer may have waited for a frozen process to thaw.
 */
export class Lock {
  #expiresAt: number;

  constructor(
    readonly token: string,
    acquiredAt: number,
    private readonly durationMs: number,
    private readonly interruption: InterruptionRequest,
  ) {
    this.#expiresAt = acquiredAt + durationMs;
  }

  /** When the lock ends unless it is confirmed again, in milliseconds since 1970. */
  get expiresAt(): number {
    return this.#expiresAt;
  }

  confirm(sentAt: number): void {
    this.#expiresAt = Math.max(this.#expiresAt, sentAt + this.durationMs);
  }

  lose(): void {
    this.#expiresAt = -Infinity;
    this.interruption.loseLock();
  }

  /** Whether the lock is still held; once it is not, the run is told so. */
  check(now: number): boolean {
    this.#expiresAt = Math.min(this.#expiresAt, now + this.durationMs); // the clock may have been set back
    if (now < this.#expiresAt) return true;
    this.lose();
    return false;
  }
}
