import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Clock } from '../clock.js';
import { type Cursor, checkJson, type Json } from '../cursor.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import { InvalidCursorError } from '../iteration.errors.js';
import type { Checkpoint, Running } from './checkpoint.js';
import type { CheckpointStore, SaveOptions } from './checkpoint.store.js';
import type { Position, Progress } from './progress.js';
import { nextPace } from './throughput.js';

/** How long a run that was abandoned may still take to save its last checkpoint. */
const LAST_SAVE_MS = 2_000;
const SAVE_AGAIN_MS = 250;

interface SavingParts {
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly log: { warn(message: string): void };
}

/** A run's own checkpoint: what it began with, brought up to date and saved as the run goes on. */
export class RunCheckpoint {
  #current: Checkpoint;
  /** What {@link forgetUnsaved} goes back to. */
  #saved: Checkpoint;
  #measuredAt: number;
  #storing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly parts: SavingParts,
    restored: Checkpoint,
    private readonly position: Position,
    private readonly user: { state: Json },
  ) {
    this.#current = restored;
    this.#saved = restored;
    this.#measuredAt = parts.clock.now();
  }

  /** As of the last save, and of what was changed since. */
  get current(): Checkpoint {
    return this.#current;
  }

  change(changes: Partial<Checkpoint>): void {
    this.#current = { ...this.#current, ...changes };
  }

  /** Goes on at another cursor; `null` starts over. */
  moveTo(cursor: Cursor): void {
    const { processed, skipped, passed } = this.position;
    this.follow(
      cursor === null ? { cursor, processed: 0, skipped, passed: 0 } : { cursor, processed, skipped, passed },
    );
    this.change({ size: undefined, stopped: undefined });
  }

  /** Goes on where the job has come to, as another record of it says. */
  follow({ cursor, processed, skipped, passed }: Progress): void {
    this.position.moveTo({ cursor, processed, skipped, passed });
    this.change({ cursor, processed, skipped, passed });
    this.#saved = this.#current;
  }

  /** Gives up what cannot be saved: the job goes on behind its last checkpoint. */
  forgetUnsaved(): void {
    const { state = null, letter } = this.#saved;
    this.change({ letter });
    this.position.goBackTo(this.#saved);
    this.user.state = structuredClone(state);
  }

  /**
   * While the run goes on: when saving fails, it is tried again at the next checkpoint, as long as the lock is held.
   *
   * @param running Where the run is, for the next one that finds no other word of it (R19).
   * @throws InvalidCursorError
   */
  async save(running: Running): Promise<void> {
    const { lock, log } = this.parts;
    const document = this.#bringUpToDate({ running });
    try {
      if (!(await this.#store(document))) lock.lose();
    } catch (error) {
      if (error instanceof InvalidCursorError) throw error;
      log.warn(`its checkpoint could not be saved (${String(error)}); it will be with the next`);
    }
  }

  /**
   * While the run goes on, where it must not go on unsaved.
   *
   * @returns false when the lock is lost.
   * @throws InvalidCursorError
   */
  saveSurely(changes: Partial<Checkpoint> = {}): Promise<boolean> {
    const running = this.#current.running && 'careful'; // between two items
    return this.#storeSurely({ running, ...changes });
  }

  /**
   * At the end of the run: tried until it is saved, or the lock or the time that an abandoned run has is over.
   *
   * @returns false when the lock is lost.
   * @throws InvalidCursorError
   */
  saveLast(changes: Partial<Checkpoint>, options?: SaveOptions): Promise<boolean> {
    return this.#storeSurely({ running: undefined, ...changes }, options);
  }

  async #storeSurely(changes: Partial<Checkpoint>, options?: SaveOptions): Promise<boolean> {
    const { clock, interruption, lock, log } = this.parts;
    const tooLate = interruption.abandoned.then(() => delay(LAST_SAVE_MS, false, { ref: false }));
    while (lock.check(clock.now())) {
      try {
        const saved = await Promise.race([this.#store(this.#bringUpToDate(changes), options), tooLate]);
        if (!saved) lock.lose();
        return saved && lock.check(clock.now()); // the answer may have waited for a frozen process to thaw
      } catch (error) {
        if (error instanceof InvalidCursorError) throw error;
        log.warn(`its checkpoint could not be saved (${String(error)}); trying again while its lock is held`);
        await delay(SAVE_AGAIN_MS);
      }
    }
    return false;
  }

  /** One after the other: with items in flight several may be asked for at once, and the last one must be what remains. */
  #store(document: Checkpoint, options?: SaveOptions): Promise<boolean> {
    const before = this.parts.interruption.isAbandoned ? undefined : this.#storing; // an answer may never come
    const stored = Promise.resolve(before).then(() => this.#storeNow(document, options));
    this.#storing = stored.catch(() => {});
    return stored;
  }

  async #storeNow(document: Checkpoint, options?: SaveOptions): Promise<boolean> {
    const { job, lock, store } = this.parts;
    const saved = await store.save(job, lock.token, document, options);
    if (saved) {
      job.progress = document;
      this.#saved = document;
    }
    return saved;
  }

  #bringUpToDate(changes: Partial<Checkpoint> = {}): Checkpoint {
    const { cursor, hasMoved, processed, skipped, passed } = this.position;
    const { state } = this.user;
    checkJson(cursor);
    if (state !== null) checkJson(state, 'state');
    const { crashes, failures, pace, progress, runtimeMs: before, size } = this.#current;
    const now = this.parts.clock.now();
    const runtimeMs = before + Math.max(0, now - this.#measuredAt);
    this.#measuredAt = now;
    this.change({
      cursor,
      processed,
      skipped,
      passed,
      runtimeMs,
      progress: percent(progress, passed, size),
      pace: nextPace(pace, runtimeMs, passed),
      failures: hasMoved ? 0 : failures,
      crashes: hasMoved ? undefined : crashes,
      ended: undefined,
      // A copy: user code may go on changing its own in place.
      state: state === null ? undefined : (JSON.parse(JSON.stringify(state)) as Json),
      ...changes,
    });
    return this.#current;
  }
}

/** Never falls (R29). */
function percent(before: number, passed: number, size: number | null | undefined): number {
  if (!size) return before;
  return Math.max(before, Math.min(100, Math.floor((passed / size) * 100)));
}
