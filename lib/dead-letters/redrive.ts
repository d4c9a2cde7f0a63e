import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Cursor } from '../cursor.js';
import {
  type EnumeratorLike,
  halvesOf,
  isAt,
  isThrottled,
  type Page,
  type PageReader,
  type Piece,
  SourceEnumerator,
  sourceOf,
  type Throttled,
  Turns,
} from '../enumerators/contract/index.js';
import { isOutage } from '../interruption/index.js';
import { IterationError, SourceChangedError } from '../iteration.errors.js';
import { isBefore, type Letter, type LetterOrder } from './dead-letter.js';
import type { DeadLetters } from './dead-letter.queue.js';

/** The job option that makes a job go over another one's dead letters. */
export const REDRIVE = 'iterationRedrive';

const REMOVE_AGAIN_MS = 250;

/** Whose dead letters, and up to which: those of the job that this one is of, should its id have come again. */
export interface RedriveOf {
  readonly id: string;
  readonly until: LetterOrder;
}

export function redriveOf(job: Pick<Job, 'opts'>): RedriveOf | undefined {
  return (job.opts as { [REDRIVE]?: RedriveOf })[REDRIVE];
}

/** An item of a dead letter. */
export class Redriven {
  constructor(
    readonly letter: Letter,
    /** Undefined when it is gone. */
    readonly item: unknown,
    readonly isGone: boolean,
  ) {}
}

export interface RedriveParts {
  readonly job: Pick<Job, 'id'>;
  readonly of: RedriveOf;
  readonly letters: DeadLetters;
  readonly version: string | number | null;
  readonly cursor: Cursor;
  /** Whether the run may go on: a letter that cannot be removed for now is tried again until then. */
  readonly isHeld: () => boolean;
  /** The source, from a cursor on. */
  readonly build: (cursor: Cursor) => Promise<EnumeratorLike<unknown> | null>;
}

/**
 * The items of a job's dead letters, in the order in which they were skipped (R24): each is looked for in the source as it
 * is now, behind the cursor that was before it. Its letter is removed when it is finished.
 */
export async function redriveEnumerator(parts: RedriveParts): Promise<SourceEnumerator<Redriven, LetterOrder>> {
  const { job, of, letters, cursor } = parts;
  const after = cursor as LetterOrder | null;
  const left: Letter[] = [];
  for (const letter of await letters.of(of.id)) {
    if (letter.order[0] !== of.until[0] || isBefore(of.until, letter.order)) continue;
    if (after === null || isBefore(after, letter.order)) left.push(letter);
    else if (letter.redrivenBy !== job.id) await letters.remove(letter.id); // handled by a run that died before it said so
  }
  const source = { read: () => new Redrive(parts, left), size: () => left.length };
  return new SourceEnumerator(source, after);
}

class Redrive implements PageReader<Redriven, LetterOrder> {
  #next = 0;
  #open: PageReader<unknown> | undefined;

  constructor(
    private readonly parts: RedriveParts,
    private readonly left: readonly Letter[],
  ) {}

  async next(): Promise<Page<Redriven, LetterOrder> | Throttled | undefined> {
    await this.close(); // an item may live as long as its reader
    const letter = this.left[this.#next];
    if (!letter) return undefined;
    const found = await this.#find(letter).catch(unfollowable);
    if (found && 'retryInMs' in found) return found;
    this.#next++;
    return {
      items: [new Redriven(letter, found?.item, found === undefined)],
      cursorAt: () => letter.order,
      finished: () => this.#remove(letter),
    };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  /** Its item is finished: that it cannot be removed is no failure of the item. */
  async #remove({ id }: Letter): Promise<void> {
    for (;;) {
      try {
        return await this.parts.letters.remove(id);
      } catch (error) {
        if (!isOutage(error) || !this.parts.isHeld()) throw error;
        await delay(REMOVE_AGAIN_MS);
      }
    }
  }

  async #find(letter: Letter): Promise<{ item: unknown } | Throttled | undefined> {
    const { before, cursor, version } = letter;
    if (version !== this.parts.version) {
      throw new IterationError(
        `A dead letter's cursor was made by version ${JSON.stringify(version)} of the processor, which is now ` +
          `${JSON.stringify(this.parts.version)}: its item cannot be found by it. Redrive with a release of that version, or remove the letter`,
      );
    }
    const enumerator = await this.parts.build(before);
    if (!enumerator) return undefined;
    const source = sourceOf(enumerator);
    const reader = source.open({ until: cursor, finished: 0 });
    this.#open = reader;
    const turns = new Turns();
    // What is gone from its source by being read is never the letter's, and another item must not be taken.
    while (!reader.consuming) {
      const page = await reader.next();
      if (!page || isThrottled(page)) return page;
      for (const [index, item] of page.items.entries()) {
        if (isAt(page, index, cursor)) return { item: letter.isRecord ? await lastRecord(source, item, letter) : item };
      }
      await turns.pass();
    }
    return undefined;
  }
}

/** What `onChange` says is of the job's own cursor, which in a redrive is no cursor of the source. */
function unfollowable(error: unknown): never {
  if (!(error instanceof SourceChangedError)) throw error;
  throw new IterationError(`A dead letter's item cannot be found any more: ${error.message}`, { cause: error });
}

/** Of a batch that ends with a letter's record: others may have come before it since. */
async function lastRecord(
  { halve }: SourceEnumerator<unknown>,
  batch: unknown,
  { before, cursor }: Letter,
): Promise<unknown> {
  let piece: Piece = { item: batch, before, cursor };
  for (let halves = await halvesOf(halve, piece); halves; halves = await halvesOf(halve, piece)) piece = halves[1];
  return piece.item;
}
