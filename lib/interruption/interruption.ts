import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { IterationCancelledError } from '../iteration.errors.js';

/** Why a run ended, or is about to end, before its job did. */
export interface Interruption {
  /** `bullmq`: the handler threw one of BullMQ's control errors. */
  readonly reason:
    | 'shutdown'
    | 'maxRuntime'
    | 'retryIn'
    | 'throttle'
    | 'rate'
    | 'pause'
    | 'cancel'
    | 'lockLost'
    | 'bullmq';
  /** How long the job asked to wait, in milliseconds. */
  readonly retryInMs?: number;
  /** Who asked for it, and why. */
  readonly detail?: string;
}

/** A hook that started a shutdown and has not returned after this time waits for that shutdown. */
const WAITS_FOR_ITSELF_MS = 250;

/** A hook that has not returned yet. */
interface HookCall {
  /** Set for code that runs within the hook. One for each call: after it, promises cost no more than before. */
  readonly within: AsyncLocalStorage<true>;
  readonly leave: () => void;
}

/**
 * The only answer to "must this run stop, and why?". The first request wins, with two exceptions: `retryIn` replaces a
 * shutdown or a time limit, since it says when to resume, and a lost lock replaces everything, since nothing can be saved
 * after it.
 */
export class InterruptionRequest {
  /** Read before every item. */
  pending: Interruption | undefined;
  /** Whether the run no longer waits for user code. */
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

  /** What user code returns; undefined when the run was abandoned first. */
  async untilAbandoned<T>(work: T | Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.abandoned.then(() => undefined)]);
  }

  /**
   * What a hook returns; undefined when the hook waits for a shutdown that it started itself, as `await app.close()` does.
   * That shutdown waits for this run, so the run continues without the hook.
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

  /** Waits for this time, or until the first request. A run may wait a million times, and {@link requested} would keep each. */
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
    this.#notify();
  }

  /** The job belongs to another worker, or soon will: nothing more that this run does may count. */
  loseLock(): void {
    this.pending = { reason: 'lockLost' };
    this.#notify();
    this.#abort.abort(new Error('The lock of the job is lost'));
  }

  /** An operator asks for it, who may change their mind until the run has ended. */
  requestCancel(detail: Pick<Interruption, 'detail'>): void {
    this.request({ reason: 'cancel', ...detail });
    this.#abort.abort(new IterationCancelledError(detail.detail));
  }

  /** BullMQ's worker cancels the job: that cannot be withdrawn. */
  cancel(reason?: string): void {
    this.cancelled = new IterationCancelledError(reason);
    this.request({ reason: 'cancel' });
    this.#abort.abort(this.cancelled);
  }

  /** The shutdown's deadline has passed: aborts the signal and stops waiting for the handler. */
  abandon(): void {
    this.request({ reason: 'shutdown' });
    this.#abort.abort(new Error('The shutdown deadline has passed'));
    // One turn later, so that a handler that heeds the signal still ends its run by itself.
    setImmediate(() => {
      this.isAbandoned = true;
      this.#resolveAbandoned();
    });
  }

  #notify(): void {
    this.#resolveRequested();
    for (const wait of this.#waits) wait.abort();
  }
}
