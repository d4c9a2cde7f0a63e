import type { Job } from 'bullmq';
import type { Cursor, Json } from '../cursor.js';
import { describe } from '../describe.js';
import {
  type EnumeratorLike,
  EventLoopTurns,
  halvesOf,
  type ItemRange,
  isAt,
  isThrottled,
  type Page,
  type PageReader,
  SourceEnumerator,
  sourceOf,
  type Throttled,
} from '../enumerators/contract/index.js';
import { isOutage, type Lock, retryWhileHeld } from '../interruption/index.js';
import { IterationError, SourceChangedError } from '../iteration.errors.js';
import { type DeadLetterRecord, isBefore, type LetterOrder } from './dead-letter.js';
import type { DeadLetterQueue } from './dead-letter.queue.js';

/** The job option of a job that handles another job's dead letters. */
export const REDRIVE = 'iterationRedrive';

/** The job whose dead letters are handled, and the last of them: a removed job's id may be used again. */
export interface RedriveOf {
  readonly id: string;
  readonly until: LetterOrder;
}

export function redriveOf(job: Pick<Job, 'opts'>): RedriveOf | undefined {
  return (job.opts as { [REDRIVE]?: RedriveOf })[REDRIVE];
}

/** The item of a dead letter. */
export class RedrivenItem {
  constructor(
    readonly letter: DeadLetterRecord,
    /** Undefined when the item is gone. */
    readonly item: unknown,
    readonly isGone: boolean,
  ) {}
}

interface RedriveParts {
  readonly job: Pick<Job, 'id'>;
  readonly of: RedriveOf;
  readonly letters: DeadLetterQueue;
  readonly version: string | number | null;
  readonly cursor: Cursor;
  readonly lock: Lock;
  /** Builds the source after a cursor; of a job with parts, that of the letter's part. */
  readonly build: (cursor: Cursor, part: Json | undefined) => Promise<EnumeratorLike<unknown> | null>;
}

/**
 * The items of a job's dead letters, in the order in which they were skipped (R24). Each is looked for in the source as it
 * is now, after the cursor of the item before it. Its letter is removed when the item is finished.
 */
export async function redriveEnumerator(parts: RedriveParts): Promise<SourceEnumerator<RedrivenItem, LetterOrder>> {
  const { job, of, letters, cursor } = parts;
  const after = cursor as LetterOrder | null;
  const left: DeadLetterRecord[] = [];
  for (const letter of await letters.of(of.id)) {
    if (letter.order[0] !== of.until[0] || isBefore(of.until, letter.order)) continue;
    if (after === null || isBefore(after, letter.order)) left.push(letter);
    else if (letter.redrivenBy !== job.id) await letters.remove(letter.id); // handled by a run that died before it removed it
  }
  const source = { read: () => new Redrive(parts, left), size: () => left.length };
  return new SourceEnumerator(source, after);
}

class Redrive implements PageReader<RedrivenItem, LetterOrder> {
  #next = 0;
  #open: PageReader<unknown> | undefined;

  constructor(
    private readonly parts: RedriveParts,
    private readonly left: readonly DeadLetterRecord[],
  ) {}

  async next(): Promise<Page<RedrivenItem, LetterOrder> | Throttled | undefined> {
    await this.close(); // an item may live as long as its reader
    const letter = this.left[this.#next];
    if (!letter) return undefined;
    const found = await this.#find(letter).catch(unfollowable);
    if (found && 'retryInMs' in found) return found;
    this.#next++;
    return {
      items: [new RedrivenItem(letter, found?.item, found === undefined)],
      cursorAt: () => letter.order,
      ack: () => this.#remove(letter),
    };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  /** The item is finished: an outage of the queue is no failure of the item. */
  #remove({ id }: DeadLetterRecord): Promise<void> {
    const { letters, lock } = this.parts;
    return retryWhileHeld(lock, () => letters.remove(id), isOutage);
  }

  async #find(letter: DeadLetterRecord): Promise<{ item: unknown } | Throttled | undefined> {
    const { before, cursor, version } = letter;
    if (version !== this.parts.version) {
      throw new IterationError(
        `A dead letter's cursor was made by version ${describe(version)} of the processor, which is now ` +
          `${describe(this.parts.version)}: its item cannot be found by it. Redrive with a release of that version, or remove the letter`,
      );
    }
    const enumerator = await this.parts.build(before, letter.part?.value);
    if (!enumerator) return undefined;
    const source = sourceOf(enumerator);
    const reader = source.open({ until: cursor, finished: 0 });
    this.#open = reader;
    const turns = new EventLoopTurns();
    // A destructive read never finds the letter's item again, and must not take another one.
    while (!reader.destructiveRead) {
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

/** `onChange` answers for the job's own cursor, which in a redrive is not a cursor of the source. */
function unfollowable(error: unknown): never {
  if (!(error instanceof SourceChangedError)) throw error;
  throw new IterationError(`The item of a dead letter is no longer in its source: ${error.message}`, { cause: error });
}

/** The last record of a batch: since the letter was written, others may have come before that record. */
async function lastRecord(
  { halve }: SourceEnumerator<unknown>,
  batch: unknown,
  { before, cursor }: DeadLetterRecord,
): Promise<unknown> {
  let range: ItemRange = { item: batch, before, cursor };
  for (let halves = await halvesOf(halve, range); halves; halves = await halvesOf(halve, range)) range = halves[1];
  return range.item;
}
