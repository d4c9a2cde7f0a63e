import { type Cursor, checkJson, isSameJson } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import {
  isAt,
  isThrottled,
  type Page,
  type PageReader,
  type SourceEnumerator,
  type Throttled,
} from '../contract/index.js';
import type { OuterPosition } from './cursor.js';
import { fingerprintOf } from './fingerprint.js';

/** An outer item, and its position. */
export interface OuterItem {
  readonly item: unknown;
  readonly position: OuterPosition;
  /** Whether an outer cursor names it. */
  isAt(cursor: Cursor): boolean;
}

/** The outer items after a cursor, one by one. */
export class OuterItems {
  readonly #reader: PageReader<unknown> | undefined;
  #page: Page<unknown> | undefined;
  #index = 0;
  #after: Cursor;
  #finished: number;
  #peeked: OuterItem | undefined;

  /** @param options.finished How many items lie up to `after`. */
  constructor(
    enumerator: SourceEnumerator<unknown> | undefined,
    { after, finished, until }: { after: Cursor; finished: number; until: Cursor },
  ) {
    this.#reader = enumerator?.open({ until, finished });
    this.#after = after;
    this.#finished = finished;
  }

  get ahead(): boolean {
    return this.#reader?.ahead === true;
  }

  async next(): Promise<OuterItem | Throttled | undefined> {
    const next = await this.peek();
    this.#peeked = undefined;
    return next;
  }

  /** The next item. It stays the next one. */
  async peek(): Promise<OuterItem | Throttled | undefined> {
    if (this.#peeked) return this.#peeked;
    while (!this.#page || this.#index === this.#page.items.length) {
      const next = await this.#reader?.next();
      if (!next || isThrottled(next)) return next;
      this.#page = next;
      this.#index = 0;
    }
    this.#peeked = this.#itemOf(this.#page, this.#index++);
    return this.#peeked;
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }

  #itemOf(page: Page<unknown>, index: number): OuterItem {
    const after = this.#after;
    const at = own(page.cursorAt(index));
    if (at === null || isSameJson(at, after)) {
      throw new InvalidEnumeratorError(
        `nested: an outer level gave an item ${at === null ? 'without a cursor, as poll does' : `with the cursor ${describe(at)} of the item before`}, ` +
          'so its items could not be distinguished. Use such a source only as the innermost level',
      );
    }
    this.#after = at;
    const item = page.items[index];
    const named = page.positional ? fingerprintOf(item) : undefined;
    const position = { after, at, finished: this.#finished++, ...(named !== undefined && { item: named }) };
    return { item, position, isAt: (cursor) => isAt(page, index, cursor) };
  }
}

/** A copy: user code may still change an object that it gave as a cursor. */
function own(cursor: Cursor): Cursor {
  if (typeof cursor !== 'object') return cursor;
  checkJson(cursor);
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}
