import {
  type Enumerator,
  type ItemOutcome,
  type ItemPosition,
  type ItemRange,
  toError,
} from '../enumerators/contract/index.js';
import { CrashLoopError, ItemGoneError } from '../iteration.errors.js';
import { controlErrorOf, isUnrecoverable, type OpenRun } from '../runtime/index.js';
import { backoffOf } from './backoff.js';
import { BatchBisection } from './batch.bisection.js';
import { Failed } from './failed.js';
import type { ItemSkips } from './item.skip.js';

/** How often the lock is looked at while the next try is awaited. */
const WAITING_LOOK_MS = 250;

/** A further try in place. */
interface Retry {
  readonly again: () => unknown;
  /** Whether the item may stay unfinished when the run must end; by default as the source says then. */
  readonly canStopHere?: () => boolean;
}

/** Retries items in place, splits batches, and skips what cannot be handled (R24). Everything else fails the job. */
export class ItemFailure {
  readonly #bisection: BatchBisection;

  constructor(
    private readonly run: OpenRun,
    private readonly skips: ItemSkips,
    halve: Enumerator<unknown>['halve'],
  ) {
    this.#bisection = new BatchBisection(run, this, halve);
  }

  /** An item whose handler threw is retried, split or skipped. @throws what fails the job */
  async overcome(thrown: unknown, position: ItemPosition): Promise<ItemOutcome> {
    const { executor, progress } = this.run;
    const { page, index } = position;
    const after = progress.current.advance(page.cursorAt(index));
    const retried = await this.retry(thrown, { again: () => executor.handleOne(page.items[index], after) });
    return retried instanceof Failed ? this.giveUp(retried, position) : retried;
  }

  /** Retries an item in place. @throws what no further try may delay */
  async retry(thrown: unknown, { again, canStopHere }: Retry): Promise<'handled' | 'left' | Failed> {
    const { handlerName, options } = this.run.definition;
    let last = toError(thrown, handlerName);
    for (let tries = 1; ; tries++) {
      if (last instanceof ItemGoneError) return new Failed(last, tries);
      this.#publish(last, tries);
      this.#throwIfFinal(last);
      if (tries >= options.itemFailure.attempts) return new Failed(last, tries);
      if (!(await this.#backOff(tries, canStopHere))) return 'left';
      try {
        await again();
        return 'handled';
      } catch (error) {
        last = toError(error, handlerName);
      }
    }
  }

  /** The item after the cursor has failed permanently: it is split, or skipped. @throws what fails the job */
  async giveUp(failed: Failed, { page, index }: ItemPosition): Promise<ItemOutcome> {
    const { progress } = this.run;
    const whole = { item: page.items[index], before: progress.cursor, cursor: page.cursorAt(index) };
    const pass = () => progress.skip(page, index);
    const { error } = failed;
    if (error instanceof CrashLoopError || error instanceof ItemGoneError) return this.skip(failed, whole, pass);
    this.throwUnlessSkippable(error);
    return this.#bisection.handle(failed, whole, (partly) => progress.skip(page, index, { partly }));
  }

  /** Neither BullMQ's own errors nor those of work that was asked to stop are failures of an item. */
  #publish(error: Error, tries: number): void {
    const { events, interruption, progress } = this.run;
    if (controlErrorOf(error) || interruption.signal.aborted) return;
    events.publish('item.failure', () => ({ error, cursor: progress.cursor, tries }));
  }

  /** @returns false when the run must end first. */
  async #backOff(tries: number, canStopHere = () => this.run.pages.canStopHere): Promise<boolean> {
    const { definition, interruption, log, timer } = this.run;
    await timer.saveBeforeWait();
    const looks = setInterval(() => timer.lookWhileAwaiting(), WAITING_LOOK_MS).unref();
    await interruption.wait(backoffOf(definition.options.itemFailure, tries, log));
    clearInterval(looks);
    await timer.look();
    return !(interruption.pending && canStopHere());
  }

  /** @throws what no retry and no skip may delay: BullMQ's own errors, and any error of a run that must end */
  #throwIfFinal(error: Error): void {
    const { executor, interruption } = this.run;
    const mustEnd = interruption.signal.aborted || executor.isUncertain;
    if (mustEnd || controlErrorOf(error) || isUnrecoverable(error)) throw error;
  }

  /** @throws the error, when it fails the job instead */
  throwUnlessSkippable(error: Error): void {
    this.#throwIfFinal(error);
    const { then: next, when } = this.run.definition.options.itemFailure;
    if (next === 'skip') {
      try {
        if (when(error)) return;
      } catch (thrown) {
        this.run.log.warn(`itemFailure.when failed (${toError(thrown, 'when').message}); the item is not skipped`);
      }
    }
    throw error;
  }

  /** @returns `left` when the run must end before the item is skipped. */
  async skip(failed: Failed, range: ItemRange, pass: () => void): Promise<ItemOutcome> {
    return (await this.skips.skip(failed, range, pass)) ? 'passed' : 'left';
  }
}
