import { type Enumerator, halvesOf, type ItemOutcome, type ItemRange, toError } from '../enumerators/contract/index.js';
import type { OpenRun } from '../runtime/index.js';
import type { Failed } from './failed.js';

/** What is done with one record that fails. */
interface RecordFailure {
  retry(thrown: unknown, options: { readonly again: () => unknown }): Promise<'handled' | 'left' | Failed>;
  skip(failed: Failed, range: ItemRange, pass: () => void): Promise<ItemOutcome>;
  throwUnlessSkippable(error: Error): void;
}

/** Finds the records of a batch that fail: halves it, and the halves that fail, until a half is one record (R24). */
export class BatchBisection {
  /** Whether any part of the current batch was handled. */
  #anyHandled = false;

  constructor(
    private readonly run: OpenRun,
    private readonly record: RecordFailure,
    private readonly halve: Enumerator<unknown>['halve'],
  ) {}

  /**
   * Handles a failed batch in parts. What cannot be halved is skipped.
   *
   * @param pass Moves the progress after the whole batch; `partly`: some of it was handled.
   * @throws what fails the job
   */
  async handle(failed: Failed, batch: ItemRange, pass: (partly: boolean) => void): Promise<ItemOutcome> {
    this.#anyHandled = false;
    const halves = await this.#halvesOf(batch, failed.error);
    if (!halves) return this.record.skip(failed, this.#asRecord(batch), () => pass(false));
    return this.#handleBoth(halves, () => pass(this.#anyHandled));
  }

  /** In order. @param end Moves the progress after the whole batch. */
  async #handleBoth([first, second]: readonly [ItemRange, ItemRange], end?: () => void): Promise<ItemOutcome> {
    const outcome = await this.#handlePart(first);
    return outcome === 'left' ? outcome : this.#handlePart(second, end);
  }

  async #handlePart(range: ItemRange, end?: () => void): Promise<ItemOutcome> {
    const { definition, executor, interruption, pages, progress, timer } = this.run;
    await timer.look();
    if (interruption.pending && pages.canStopHere) return 'left';
    const { cursor } = range;
    const pass = end ?? (() => progress.moveTo(cursor));
    const after = end ? progress.current.advance(cursor) : progress.current.moveTo(cursor);
    try {
      await executor.handleOne(range.item, after);
    } catch (thrown) {
      const error = toError(thrown, definition.handlerName);
      this.record.throwUnlessSkippable(error);
      const halves = await this.#halvesOf(range, error);
      if (halves) return this.#handleBoth(halves, end);
      const retried = await this.record.retry(error, { again: () => executor.handleOne(range.item, after) });
      if (retried === 'left') return retried;
      if (retried !== 'handled') {
        this.record.throwUnlessSkippable(retried.error);
        return this.record.skip(retried, this.#asRecord(range), pass);
      }
    }
    this.#anyHandled = true;
    pass();
    if (timer.moved()) await timer.save();
    return 'passed';
  }

  async #halvesOf(range: ItemRange, failure: Error): Promise<readonly [ItemRange, ItemRange] | undefined> {
    try {
      return await halvesOf(this.halve, range);
    } catch (error) {
      this.run.log.warn(`a batch that failed could not be halved: ${toError(error, 'halve').message}`);
      throw failure;
    }
  }

  /** What could not be halved. */
  #asRecord(range: ItemRange): ItemRange {
    return { ...range, isRecord: this.halve !== undefined };
  }
}
