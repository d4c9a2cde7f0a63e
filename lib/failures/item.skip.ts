import { setTimeout as delay } from 'node:timers/promises';
import type { Position, RunCheckpoint } from '../checkpoint/index.js';
import { checkJson } from '../cursor.js';
import { keptError, type Letter, Redriven } from '../dead-letters/index.js';
import type { Piece } from '../enumerators/contract/index.js';
import { isOutage } from '../interruption/index.js';
import { ItemGoneError, IterationError, SkipLimitError } from '../iteration.errors.js';
import type { ItemWork, RunContext, RunHooks, RunParts } from '../runtime/index.js';

export interface SkipsParts extends RunParts {
  readonly position: Position;
  readonly context: RunContext;
  readonly checkpoint: RunCheckpoint;
  readonly hooks: RunHooks;
  readonly work: ItemWork;
}

/** Why an item is skipped. */
export interface SkipReason {
  readonly error: Error;
  readonly tries: number;
}

const WRITE_AGAIN_MS = 250;
const MAX_REFUSALS = 3;

/**
 * Skips items (R24). That an item is skipped is saved first, together with its dead letter and under the lock, and then
 * the letter is written: a run that finds a letter in its checkpoint writes it again.
 */
export class Skips {
  constructor(private readonly parts: SkipsParts) {}

  /**
   * @param move Moves the position behind the item.
   * @returns false when the run has to end before the letter is written.
   * @throws SkipLimitError
   * @throws InvalidCursorError
   */
  async skip({ error, tries }: SkipReason, piece: Piece, move: () => void): Promise<boolean> {
    const { context, definition, hooks, log, position, work } = this.parts;
    const { limit } = definition.options.itemFailure;
    if (position.skipped >= limit && !(error instanceof ItemGoneError))
      throw new SkipLimitError(limit, { cause: error });
    checkJson(piece.cursor); // before anything is moved: what cannot be saved is no skipped item
    const letter = this.#letter(piece, { error, tries });
    move();
    position.skipped++;
    if (!(await work.record({ letter })) || !(await this.write(letter))) return false;
    const item = piece.item instanceof Redriven ? piece.item.item : piece.item;
    log.skipped(error, letter.cursor);
    context.item = item; // of an item that ended its process, no handler of this run was told
    await hooks.callQuietly('skip', { error, item, cursor: letter.cursor });
    return true;
  }

  /**
   * Tried until it is written, or the lock or the run is over.
   *
   * @throws IterationError when the queue refuses it, not being away; the letter stays in the checkpoint.
   */
  async write(letter: Letter): Promise<boolean> {
    const { clock, deadLetters, interruption, job, lock, log, work } = this.parts;
    let refusals = 0;
    while (!interruption.isAbandoned && lock.check(clock.now())) {
      try {
        await interruption.untilAbandoned(deadLetters().put(letter, job.data));
        if (interruption.isAbandoned) return false;
        return await work.record({ letter: undefined });
      } catch (error) {
        if (work.isUncertain) throw error;
        if (!isOutage(error) && ++refusals === MAX_REFUSALS) throw unwritten(error);
        log.warn(`its dead letter could not be written (${String(error)}); trying again while its lock is held`);
        await delay(WRITE_AGAIN_MS);
      }
    }
    return false;
  }

  #letter({ item, before, cursor, isRecord }: Piece, { error, tries }: SkipReason): Letter {
    const { checkpoint, clock, definition, job, position } = this.parts;
    const kept = { error: keptError(error), at: new Date(clock.now()).toISOString() };
    if (item instanceof Redriven)
      return { ...item.letter, ...kept, tries: item.letter.tries + tries, redrivenBy: job.id as string };
    const { life, version } = checkpoint.current;
    const id = job.id as string;
    return {
      ...kept,
      // BullMQ refuses colons in an id that it did not make itself.
      id: `${encodeURIComponent(id)}-${job.timestamp}-${life}-${position.skipped}`,
      order: [job.timestamp, life, position.skipped],
      processor: definition.name,
      job: { queue: job.queueName, id },
      jobName: job.name,
      version,
      before,
      cursor,
      tries,
      ...(isRecord && { isRecord }),
    };
  }
}

function unwritten(cause: unknown): IterationError {
  return new IterationError(
    `A skipped item's dead letter could not be written (${String(cause)}). It is kept in the job's checkpoint, and written by its ` +
      'next run: see to the queue of the dead letters, and retry the job',
    { cause },
  );
}
