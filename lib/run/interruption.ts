import { setTimeout as delay } from 'node:timers/promises';
import { IterationCancelledError } from '../iteration.errors.js';

/** Why a run ended, or is about to end, before its job did. */
export interface Interruption {
  /** `bullmq`: the handler threw one of BullMQ's control errors (R22). */
  readonly reason: 'shutdown' | 'maxRuntime' | 'retryIn' | 'throttle' | 'pause' | 'cancel' | 'lockLost' | 'bullmq';
  /** How long the job asked to wait, in milliseconds. */
  readonly retryInMs?: number;
}

/**
 * The only answer to "must this run stop, and why?". The first request wins, but `retryIn` over a shutdown or a time
 * limit, since it says when to go on, and a lost lock over all: nothing can be saved after it.
 */
export class InterruptionRequest {
  /** Read before every item. */
  pending: Interruption | undefined;
  /** Whether user code is not waited for any longer. */
  isAbandoned = false;
  /** Set with a cancellation. */
  cancelled: IterationCancelledError | undefined;

  /** Resolves with the first request. */
  readonly requested: Promise<void>;
  /** Resolves when the run must not wait for user code any longer. */
  readonly abandoned: Promise<void>;

  readonly #abort = new AbortController();
  readonly #waits = new Set<AbortController>();
  #resolveRequested!: () => void;
  #resolveAbandoned!: () => void;

  constructor() {
    this.requested = new Promise((resolve) => {
      this.#resolveRequested = resolve;
    });
    this.abandoned = new Promise((resolve) => {
      this.#resolveAbandoned = resolve;
    });
  }

  /** Aborts when work must stop now: shutdown deadline, cancellation, lost lock. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What user code gives; undefined when the run was abandoned before. */
  async untilAbandoned<T>(work: T | Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.abandoned.then(() => undefined)]);
  }

  /** Waits so long, or until the first request. A run may wait a million times, and {@link requested} would keep each. */
  async wait(ms: number): Promise<void> {
    if (this.pending) return;
    const wait = new AbortController();
    this.#waits.add(wait);
    await delay(ms, undefined, { signal: wait.signal }).catch(() => {}); // requested
    this.#waits.delete(wait);
  }

  /** Asks the run to end after the item in flight. */
  request(interruption: Interruption): void {
    const overridden = this.pending?.reason === 'shutdown' || this.pending?.reason === 'maxRuntime';
    if (!this.pending || (interruption.reason === 'retryIn' && overridden)) this.pending = interruption;
    this.#tell();
  }

  /** The job belongs to another worker, or soon will: nothing that this run does may count any more. */
  loseLock(): void {
    this.pending = { reason: 'lockLost' };
    this.#tell();
    this.#abort.abort(new Error('The lock of the job is lost'));
  }

  cancel(reason?: string): void {
    this.cancelled = new IterationCancelledError(reason);
    this.request({ reason: 'cancel' });
    this.#abort.abort(this.cancelled);
  }

  /** The shutdown's deadline has passed: aborts the signal and stops waiting for the handler. */
  abandon(): void {
    this.request({ reason: 'shutdown' });
    this.#abort.abort(new Error('The shutdown deadline has passed'));
    // One turn, so that a handler that heeds the signal still ends its run by itself.
    setImmediate(() => {
      this.isAbandoned = true;
      this.#resolveAbandoned();
    });
  }

  #tell(): void {
    this.#resolveRequested();
    for (const wait of this.#waits) wait.abort();
  }
}
