import { setTimeout as delay } from 'node:timers/promises';
import { type Cursor, checkJson, type Json } from '../cursor.js';
import { retryWhileHeld } from '../interruption/index.js';
import { InvalidCursorError } from '../iteration.errors.js';
import type { Checkpoint, Running } from './checkpoint.js';
import { Progress } from './progress.js';
import { historyLine } from './run.history.js';
import type { SaveOptions } from './save.options.js';
import { measured } from './throughput.js';
import { type FinalOptions, noteCheckpoint, type WritingRun } from './writing.run.js';

/** How long an abandoned run may still take to write its last checkpoint. */
const FINAL_WRITE_MS = 2_000;

/** Keeps a run's checkpoint up to date and writes it to the job. */
export class CheckpointWriter {
  /** How much of the source lies up to a cursor; undefined = unknown. Set when the source is open. */
  fractionAt: (cursor: Cursor) => number | undefined = () => undefined;
  #current: Checkpoint;
  /** What {@link dropUnsaved} goes back to. */
  #written: Checkpoint;
  #measuredAt: number;
  #writing: Promise<unknown> = Promise.resolve();
  #hasWritten = false;
  /** Lines for the job's history that are not written yet. */
  #history: string;

  /** @param before The job's last checkpoint, as it was saved. */
  constructor(
    private readonly run: WritingRun,
    private readonly restored: Checkpoint,
    before?: Checkpoint,
  ) {
    this.#history = (before?.running && historyLine(before, { outcome: 'crash', at: run.clock.now() })) ?? '';
    this.#current = restored;
    this.#written = restored;
    this.#measuredAt = run.clock.now();
  }

  get current(): Checkpoint {
    return this.#current;
  }

  change(changes: Partial<Checkpoint>): void {
    this.#current = { ...this.#current, ...changes };
  }

  /** Resumes at another cursor; `null` starts over. */
  restartAt(cursor: Cursor): void {
    const progress = Progress.of(this.#current);
    this.resumeFrom(cursor === null ? progress.restart() : progress.moveTo(cursor));
    this.change({ size: undefined, stopped: undefined });
  }

  /** Resumes from another record of the job's progress. */
  resumeFrom(progress: Progress): void {
    this.run.progress.startAt(progress);
    this.change({ ...progress.saved });
    this.#written = this.#current;
  }

  /** Gives up what cannot be saved: the job resumes after its last checkpoint. */
  dropUnsaved(): void {
    const { state = null, letter } = this.#written;
    this.change({ letter });
    this.run.progress.goBackTo(Progress.of(this.#written));
    this.run.context.state = structuredClone(state);
  }

  /**
   * While items are handled. A checkpoint that cannot be written now is written with the next one.
   *
   * @param running Where the run is, for the next run if this one dies without reporting an outcome (R19).
   * @throws InvalidCursorError
   */
  async flush(running: Running): Promise<void> {
    await this.#flush(this.#bringUpToDate({ running }));
  }

  async #flush(document: Checkpoint): Promise<void> {
    const { lock, log } = this.run;
    try {
      if (!(await this.#write(document))) lock.lose();
    } catch (error) {
      if (error instanceof InvalidCursorError) throw error;
      log.warn(`its checkpoint could not be saved (${String(error)}); the next one includes it`);
    }
  }

  /**
   * The run's beginning, as it was before any item: items that are being handled may have changed the user's state. Does
   * nothing when the run has written a checkpoint.
   */
  async flushBegun(): Promise<void> {
    if (this.#hasWritten) return;
    const { cursor, state } = this.restored;
    const before = { ...Progress.of(this.restored).saved, state, fraction: this.fractionAt(cursor) };
    await this.#flush({ ...this.#current, ...before, stalls: this.run.job.stalledCounter, running: 'items' });
  }

  /**
   * Between two items, where the run must not continue unsaved.
   *
   * @throws LockLostError
   * @throws InvalidCursorError
   */
  flushSurely(changes: Partial<Checkpoint> = {}): Promise<void> {
    return this.#retry({ running: 'careful', ...changes }); // no item is being handled
  }

  /**
   * At the end of the run.
   *
   * @param options `yields`: see {@link SaveOptions}.
   * @throws LockLostError also when an abandoned run has no time left
   * @throws InvalidCursorError
   */
  flushFinal(changes: Partial<Checkpoint>, options: FinalOptions & { readonly ending: object }): Promise<void> {
    return this.#retry({ running: undefined, ...changes }, options);
  }

  #retry(changes: Partial<Checkpoint>, { ending, yields }: FinalOptions = {}): Promise<void> {
    const { interruption, lock, log } = this.run;
    const tooLate = interruption.abandoned.then(() => delay(FINAL_WRITE_MS, false, { ref: false }));
    const write = async () => {
      const document = this.#bringUpToDate(changes);
      const line = ending && historyLine(document, { ...ending, at: this.run.clock.now() });
      const isWritten = await Promise.race([this.#write(document, { yields, history: line }), tooLate]);
      if (!isWritten) throw lock.lose();
      lock.assertHeld(); // the answer may have waited for a frozen process to thaw
    };
    return retryWhileHeld(lock, write, (error) => {
      if (error instanceof InvalidCursorError) return false;
      log.warn(`its checkpoint could not be saved (${String(error)}); trying again while its lock is held`);
      return true;
    });
  }

  /** One at a time: with items in flight several may be asked for at once, and the last one must be what remains. */
  #write(document: Checkpoint, options: SaveOptions = {}): Promise<boolean> {
    this.#hasWritten = true;
    const before = this.run.interruption.isAbandoned ? undefined : this.#writing; // an answer may never come
    const written = Promise.resolve(before).then(() => this.#writeNow(document, options));
    this.#writing = written.catch(() => {});
    return written;
  }

  async #writeNow(document: Checkpoint, { history = '', yields }: SaveOptions): Promise<boolean> {
    const { job, lock, store } = this.run;
    const isWritten = await store.save(job, lock.token, document, { yields, history: this.#history + history });
    if (isWritten) {
      noteCheckpoint(this.run, document, this.#written);
      this.#history = '';
      job.progress = document;
      this.#written = document;
    }
    return isWritten;
  }

  #bringUpToDate(changes: Partial<Checkpoint>): Checkpoint {
    const { context, progress, rate, settings, times } = this.run;
    const { cursor, processed, skipped, passed } = progress.current.saved;
    const { state } = context;
    checkJson(cursor);
    if (state !== null) checkJson(state, 'state');
    const { crashes, failures } = this.#current;
    const runtimeMs = this.#current.runtimeMs + this.#elapsedMs();
    const fraction = this.fractionAt(cursor);
    this.change({
      cursor,
      processed,
      skipped,
      passed,
      runtimeMs,
      ...measured(this.#current, { batchSize: settings.inForce.batchSize, fraction, passed, runtimeMs }),
      failures: progress.hasMoved ? 0 : failures,
      crashes: progress.hasMoved ? undefined : crashes,
      ended: undefined,
      isolates: undefined,
      stalls: this.run.job.stalledCounter,
      ...times.current,
      settings: settings.inForce,
      nextItemAt: rate.nextItemAt,
      state: state === null ? undefined : (JSON.parse(JSON.stringify(state)) as Json), // user code may change its own
      ...changes,
    });
    return this.#current;
  }

  #elapsedMs(): number {
    const now = this.run.clock.now();
    const elapsedMs = Math.max(0, now - this.#measuredAt);
    this.#measuredAt = now;
    return elapsedMs;
  }
}
