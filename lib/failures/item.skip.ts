import { checkJson } from '../cursor.js';
import { type DeadLetterRecord, keptError, RedrivenItem, summaryOf } from '../dead-letters/index.js';
import type { ItemRange } from '../enumerators/contract/index.js';
import { isOutage, retryWhileHeld } from '../interruption/index.js';
import { ItemGoneError, IterationError } from '../iteration.errors.js';
import type { Run } from '../runtime/index.js';
import { type ReachedLimit, SkipLimits } from './skip.limits.js';

/** Why an item is skipped. */
interface SkipReason {
  readonly error: Error;
  readonly tries: number;
}

/** Errors of the dead-letter queue, other than outages, before the job fails. */
const MAX_REFUSALS = 3;

/**
 * Skips items (R24). The skip is saved first, together with its dead letter and under the lock. Then the letter is written:
 * a run that finds a letter in its checkpoint writes it again.
 */
export class ItemSkips {
  readonly #limits: SkipLimits;

  constructor(private readonly run: Run) {
    this.#limits = new SkipLimits(run);
  }

  /**
   * @param pass Moves the progress after the item.
   * @returns false when the run must end before the item is skipped, or its letter is written.
   * @throws SkipLimitError
   * @throws InvalidCursorError
   * @throws LockLostError
   */
  async skip({ error, tries }: SkipReason, range: ItemRange, pass: () => void): Promise<boolean> {
    const { context, definition, events, executor, hooks, log, progress } = this.run;
    const reached = error instanceof ItemGoneError ? undefined : await this.#limits.reachedBy(range, error);
    if (reached && definition.options.itemFailure.onLimit === 'fail') throw reached.error;
    if (reached) return this.#pause(reached);
    checkJson(range.cursor); // before anything is moved: what cannot be saved is no skipped item
    const letter = this.#letter(range, { error, tries });
    this.#limits.count(range);
    pass();
    progress.countSkipped();
    await executor.persist({ letter });
    if (!(await this.write(letter))) return false;
    const item = range.item instanceof RedrivenItem ? range.item.item : range.item;
    log.skipped(error, letter.cursor);
    events.publish('item.skip', () => ({ error, cursor: letter.cursor }));
    context.item = item; // an item that killed its process reached no handler in this run
    await hooks.callQuietly('skip', { error, item, cursor: letter.cursor });
    return true;
  }

  /** R37: the item stays unhandled, and is tried again after `resume`. */
  #pause({ error, all }: ReachedLimit): false {
    const { checkpoint, control, limits } = this.run;
    const { life } = limits?.part ?? checkpoint.current;
    if (!all) checkpoint.change({ skippedInARow: undefined });
    const granted = all && { granted: { life, skipped: all.skipped, itemsSeen: all.seen } };
    control.pauseItself({ reason: error.message, ...granted });
    return false;
  }

  /**
   * Writes a letter, and forgets it in the checkpoint. Tried until it is written, or the lock is lost.
   *
   * @returns false when the run is abandoned first.
   * @throws IterationError when the queue refuses the letter, although it answers; the letter stays in the checkpoint.
   * @throws LockLostError
   */
  async write(letter: DeadLetterRecord): Promise<boolean> {
    const { deadLetters, executor, interruption, job, lock, log } = this.run;
    let refusals = 0;
    const put = async () => {
      if (!interruption.isAbandoned) await interruption.untilAbandoned(deadLetters().put(letter, job.data));
      if (interruption.isAbandoned) return false;
      await executor.persist({ letter: undefined });
      return true;
    };
    return retryWhileHeld(lock, put, (error) => {
      if (executor.isUncertain) return false;
      if (!isOutage(error) && ++refusals === MAX_REFUSALS) throw unwritten(error);
      log.warn(`its dead letter could not be written (${String(error)}); trying again while its lock is held`);
      return true;
    });
  }

  #letter({ item, before, cursor, isRecord }: ItemRange, { error, tries }: SkipReason): DeadLetterRecord {
    const { checkpoint, clock, definition, job, limits, progress } = this.run;
    const kept = { error: keptError(error), at: new Date(clock.now()).toISOString() };
    const summary = this.#summaryOf(item);
    if (item instanceof RedrivenItem)
      return { ...item.letter, ...kept, summary, tries: item.letter.tries + tries, redrivenBy: job.id as string };
    const { life, version } = checkpoint.current;
    const id = job.id as string;
    const number = progress.current.skipped;
    const part = limits?.part;
    return {
      ...kept,
      // BullMQ refuses colons in an id that it did not make itself.
      id: `${encodeURIComponent(id)}-${job.timestamp}-${life}-${number}`,
      order: part ? [part.addedAt, part.life, part.index, number] : [job.timestamp, life, number],
      processor: definition.name,
      job: { queue: job.queueName, id: part?.of ?? id },
      ...(part && { part: { id, value: part.value } }),
      jobName: job.name,
      version,
      before,
      cursor,
      summary,
      tries,
      ...(isRecord && { isRecord }),
    };
  }

  /** A description that fails keeps no letter from being written. */
  #summaryOf(item: unknown): string {
    const { definition, log } = this.run;
    if (item instanceof RedrivenItem && item.isGone) return item.letter.summary;
    const found = item instanceof RedrivenItem ? item.item : item;
    try {
      return summaryOf(found, definition.describeItem);
    } catch (error) {
      log.warn(`its option "describe" failed (${String(error)}); its dead letter has the item's JSON`);
      return summaryOf(found);
    }
  }
}

function unwritten(cause: unknown): IterationError {
  return new IterationError(
    `The dead letter of a skipped item could not be written (${String(cause)}). It stays in the job's checkpoint, and the ` +
      'next run writes it: check the dead-letter queue, then retry the job',
    { cause },
  );
}
