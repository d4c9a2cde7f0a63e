import { isDeepStrictEqual } from 'node:util';
import { type Cursor, checkJson, isSameJson } from '../cursor.js';
import { describe } from '../describe.js';
import { type EnumeratorLike, isEnumeratorLike } from '../enumerators/contract/index.js';
import { ResumeError, type ResumeProblem } from './resume.error.js';

/** Builds an enumerator that starts after a cursor, as `@BuildEnumerator` does. */
export type BuildAt<Item, C extends Cursor> = (
  cursor: NoInfer<C> | null,
) => EnumeratorLike<Item, C> | Promise<EnumeratorLike<Item, C>>;

/** Options of {@link resumeAtEveryPosition} and {@link resumeAtPositions}. */
export interface ResumeOptions<Item> {
  /** What identifies an item, such as its id. Default: the item itself, compared by its value. */
  identify?: (item: Item) => unknown;
  /** An enumerator with more items is taken as endless. Default 1000. */
  maxItems?: number;
}

type Pair<Item, C> = readonly [item: Item, cursor: C];

/** Where an enumerator is built: after `position` items, whose last one has this cursor. */
export interface Position<C extends Cursor> {
  readonly position: number;
  readonly cursor: C | null;
}

/** Compares what an enumerator gives after a position with what it gives from the beginning. */
export class ResumeCheck<Item, C extends Cursor> {
  readonly #identify: (item: Item) => unknown;
  readonly #maxItems: number;
  /** What the enumerator gives from the beginning. */
  whole: readonly Pair<Item, C>[] = [];

  constructor(
    private readonly build: BuildAt<Item, C>,
    { identify = (item) => item, maxItems = 1_000 }: ResumeOptions<Item>,
  ) {
    this.#identify = identify;
    this.#maxItems = maxItems;
  }

  /** Reads the enumerator from the beginning to its end. @throws ResumeError */
  async readWhole(): Promise<void> {
    const start = { position: 0, cursor: null };
    this.whole = await this.#read(start, this.#maxItems + 1);
    if (this.whole.length > this.#maxItems) {
      throw this.#error(
        start,
        'endless',
        `it has given ${this.whole.length} items, and option "maxItems" is ${this.#maxItems}. Raise it, or let the test's source be smaller`,
      );
    }
    const seen = new Map<string, number>();
    for (const [index, [item, cursor]] of this.whole.entries()) {
      const text = JSON.stringify(cursor);
      const other = seen.get(text);
      if (other !== undefined) {
        const same = `item ${other + 1} (${this.#show(this.whole[other]?.[0] as Item)}) and item ${index + 1} (${this.#show(item)})`;
        throw this.#error(
          start,
          'same cursor',
          `${same} have the same cursor ${text}, so one of them is lost on resume`,
        );
      }
      seen.set(text, index);
    }
  }

  /**
   * Builds after a position and reads at most `most` items, which must be those of the whole.
   *
   * @returns the positions after each of them.
   * @throws ResumeError
   */
  async resume(at: Position<C>, most: number): Promise<readonly Position<C>[]> {
    const read = await this.#read(at, most);
    const { length } = this.whole;
    let isStable = false;
    for (const [index, [item, cursor]] of read.entries()) {
      const number = at.position + index;
      if (number === length) throw this.#afterEnd(at, item);
      const [expected, cursorBefore] = this.whole[number] as Pair<Item, C>;
      if (!this.#isSame(item, expected)) throw await this.#wrongItem(at, { index, item, expected });
      if (isStable || isSameJson(cursor, cursorBefore)) continue;
      await this.#checkStable(at, index, cursor);
      isStable = true;
    }
    const isEnd = read.length < most;
    const next = at.position + read.length;
    if (isEnd && next < length) {
      const lost = this.#show(this.whole[next]?.[0] as Item);
      throw this.#error(
        at,
        'skips',
        `it ends ${read.length === 0 ? 'at once' : `after ${read.length} items`}: expected ${lost}`,
      );
    }
    return read.map(([, cursor], index) => ({ position: at.position + index + 1, cursor }));
  }

  /** Stops after `most` items, as a run does. Each cursor is one that can be saved. */
  async #read(at: Position<C>, most: number): Promise<readonly Pair<Item, C>[]> {
    const built: unknown = await this.build(at.cursor === null ? null : throughJson(at.cursor));
    if (!isEnumeratorLike(built))
      throw this.#error(at, 'no enumerator', `build returned ${describe(built)}. Was the "return" forgotten?`);
    const read: Pair<Item, C>[] = [];
    if (most === 0) return read;
    for await (const pair of built as AsyncIterable<unknown>) {
      read.push(this.#checked(pair, { ...at, index: read.length }));
      if (read.length === most) break;
    }
    return read;
  }

  #checked(pair: unknown, { index, ...at }: Position<C> & { readonly index: number }): Pair<Item, C> {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw this.#error(at, 'no enumerator', `it yielded ${describe(pair)}, and must yield [item, cursor]`);
    const [item, cursor] = pair as unknown as Pair<Item, C>;
    const name = () => `item ${at.position + index + 1} (${this.#show(item)})`;
    if (cursor === null || cursor === undefined) {
      const reason = 'which means the beginning: each run would start there again';
      throw this.#error(at, 'no cursor', `${name()} has the cursor ${String(cursor)}, ${reason}. Yield [item, cursor]`);
    }
    try {
      checkJson(cursor);
    } catch (cause) {
      throw this.#error(at, 'cursor', `${name()} has a cursor that cannot be saved: ${(cause as Error).message}`, {
        cause,
      });
    }
    return [item, throughJson(cursor)];
  }

  /** A cursor may depend on where its run began, but not on when. */
  async #checkStable(at: Position<C>, index: number, cursor: C): Promise<void> {
    const again = (await this.#read(at, index + 1)).at(index);
    if (!again || isSameJson(again[1], cursor)) return;
    const item = this.#show(again[0]);
    const both = `${JSON.stringify(cursor)} and ${JSON.stringify(again[1])}`;
    throw this.#error(
      at,
      'unstable cursor',
      `built twice, item ${at.position + index + 1} (${item}) had the cursors ${both}`,
    );
  }

  #afterEnd(at: Position<C>, item: Item): ResumeError {
    const known = this.whole.findIndex(([other]) => this.#isSame(other, item));
    const which = known < 0 ? '' : `, which is item ${known + 1}`;
    return this.#error(at, 'after the end', `expected the end, found ${this.#show(item)}${which}`);
  }

  async #wrongItem(
    at: Position<C>,
    { index, item, expected }: { readonly index: number; readonly item: Item; readonly expected: Item },
  ): Promise<ResumeError> {
    const number = at.position + index;
    const found = this.whole.findIndex(([other]) => this.#isSame(other, item));
    const says = `expected item ${number + 1}, ${this.#show(expected)}, found ${this.#show(item)}`;
    if (found < 0) return this.#error(at, 'unknown item', `${says}, which was not there from the beginning`);
    const which = `${says}, which is item ${found + 1}`;
    if (found < number) return this.#error(at, 'repeats', `${which} and was finished before`);
    const rest = await this.#read(at, this.#maxItems);
    const comesLater = rest.some(([other]) => this.#isSame(other, expected));
    if (comesLater)
      return this.#error(at, 'order', `${which}: the items come in another order than from the beginning`);
    return this.#error(at, 'skips', `${which}: the expected item is lost`);
  }

  #isSame(one: Item, other: Item): boolean {
    return isDeepStrictEqual(this.#identify(one), this.#identify(other));
  }

  #show(item: Item): string {
    const identity = this.#identify(item);
    if (typeof identity !== 'object' || identity === null) return describe(identity);
    try {
      return describe(JSON.parse(JSON.stringify(identity)));
    } catch {
      return describe(identity);
    }
  }

  #error({ position, cursor }: Position<C>, problem: ResumeProblem, says: string, options?: ErrorOptions): ResumeError {
    const where =
      position === 0 && cursor === null
        ? 'Built from the beginning'
        : `Built after position ${position} (cursor ${JSON.stringify(cursor)})`;
    return new ResumeError(`${where}: ${says}`, problem, position, cursor, options);
  }
}

function throughJson<C extends Cursor>(cursor: C): C {
  return JSON.parse(JSON.stringify(cursor)) as C;
}
