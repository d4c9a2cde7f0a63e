import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { IterationCancelledError } from '../iteration.errors.js';

/** Why a run ended, or is about to end, before its job did. */
export interface Interruption {
  /**
   * `bullmq`: the handler threw one of BullMQ's control errors (R22). `pause` cannot be reached yet, and `cancel` by `cancelJob`
   * of BullMQ's worker alone.
   */
  readonly reason: 'shutdown' | 'maxRuntime' | 'retryIn' | 'throttle' | 'pause' | 'cancel' | 'lockLost' | 'bullmq';
  /** How long the job asked to wait, in milliseconds. */
  readonly retryInMs?: number;
}

/** A hook that has begun a shutdown, and has not returned so long after, waits for it. */
const WAITS_FOR_ITSELF_MS = 250;

/** A hook under way. */
interface HookCall {
  /** What runs within the hook finds itself in here. For each call its own, so that promises cost what they did after it. */
  readonly within: AsyncLocalStorage<true>;
  readonly leave: () => void;
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
  readonly #hooks = new Set<HookCall>();
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

  /**
   * What a hook gives; undefined when it waits for the shutdown that it has begun itself, as `await app.close()` does: the
   * shutdown waits for this run, so the run continues without it.
   */
  async callHook<T>(hook: () => T | Promise<T>): Promise<T | undefined> {
    let leave!: () => void;
    const left = new Promise<undefined>((resolve) => {
      leave = () => resolve(undefined);
    });
    const call: HookCall = { within: new AsyncLocalStorage(), leave };
    this.#hooks.add(call);
    try {
      return await Promise.race([call.within.run(true, hook), left]);
    } finally {
      this.#hooks.delete(call);
      call.within.disable();
    }
  }

  /** Called where the shutdown begins, which may be within a hook of this run. */
  requestShutdown(): void {
    for (const { within, leave } of this.#hooks) {
      if (within.getStore()) setTimeout(leave, WAITS_FOR_ITSELF_MS);
    }
    this.request({ reason: 'shutdown' });
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
