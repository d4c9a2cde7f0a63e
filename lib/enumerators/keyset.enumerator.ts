import { type Cursor, checkJson, isSameJson, type Json } from '../cursor.js';
import { describe } from '../describe.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { aFunction, count, type Rules, required } from '../rules.js';
import {
  type Bounds,
  CycleDetector,
  called,
  checkForward,
  checkOptions,
  type Enumerator,
  type KeyedRows,
  keyedPage,
  type Page,
  type PageReader,
  readPages,
  type Source,
  SourceEnumerator,
  sourceLike,
} from './contract/index.js';

/** How rows are read by a key. */
export interface KeysetFetchOptions<Row, K extends Json | []> {
  /** The last finished row's key; `null` starts at the beginning. */
  cursor: K | Cursor | null;
  /** Returns at most `limit` rows after the key `after`, in the order of the key; none at the end. */
  fetch: (after: K | null, limit: number) => Promise<readonly Row[]>;
  /** The unique key of a row: a value that JSON holds exactly, never `null`. It is the row's cursor. */
  key: (row: Row) => K;
  /** Rows per query. Default 1000. */
  pageSize?: number;
  /** How many rows the whole job has, not only what is left. Asked once in a job's life. */
  size?: () => Promise<number>;
}

const RULES: Rules = {
  cursor: () => true,
  fetch: required(aFunction),
  key: required(aFunction),
  pageSize: count,
  size: aFunction,
};
const DEFAULT_PAGE_SIZE = 1000;

/** The rows of any database, by a unique key. The query orders and compares by it. */
export function keysetEnumerator<Row, K extends Json | []>(options: KeysetFetchOptions<Row, K>): Enumerator<Row, K> {
  checkOptions(options as { cursor: Cursor }, RULES, 'keyset');
  const { cursor, fetch, key, pageSize = DEFAULT_PAGE_SIZE, size } = options;
  const rows = new KeysetRows<Row, K>({ fetch, key, pageSize });
  return new SourceEnumerator(size ? sourceLike(rows, { size }) : rows, cursor as K | null);
}

class KeysetRows<Row, K extends Json | []> implements Source<Row, K> {
  constructor(private readonly query: Pick<Required<KeysetFetchOptions<Row, K>>, 'fetch' | 'key' | 'pageSize'>) {}

  read(bounds: Bounds<K>): PageReader<Row, K> {
    return readPages(this.#pages(bounds));
  }

  /** A page that is not full may not be the last: the database may have a limit of its own. */
  async *#pages({ after, until }: Bounds<K>): AsyncGenerator<Page<Row, K>, void, void> {
    const order = new LearnedOrder();
    const cycles = new CycleDetector();
    for (;;) {
      const page = await this.#fetch(after);
      const { rows, keys } = page;
      const last = keys.at(-1);
      if (last === undefined) return;
      order.check(after, keys);
      if (cycles.isRepeated(last)) {
        throw new InvalidEnumeratorError(
          `keyset: the key ${describe(last)} came again, so iteration would never end. ` +
            'fetch must order by the key, and return only rows after `after`',
        );
      }
      const end = until === null ? -1 : keys.findIndex((key) => isSameJson(key, until));
      yield keyedPage(end < 0 ? page : { rows: rows.slice(0, end + 1), keys }, (key) => key);
      if (end >= 0) return;
      after = last;
    }
  }

  async #fetch(after: K | null): Promise<KeyedRows<Row, K>> {
    const { fetch, key, pageSize } = this.query;
    const rows: unknown = await called('fetch of keyset', () => fetch(after, pageSize));
    if (!Array.isArray(rows)) {
      throw new InvalidEnumeratorError(
        `keyset: fetch(${describe(after)}, ${pageSize}) returned ${describe(rows)}; it must return an array of rows`,
      );
    }
    const keys = await called('key of keyset', () => rows.map((row: Row) => key(row)));
    const without = keys.findIndex((key) => key === null || key === undefined);
    if (without >= 0) {
      throw new InvalidEnumeratorError(
        `keyset: key() returned ${describe(keys[without])} for the row ${describe(rows[without])}; each row needs its own key`,
      );
    }
    if (keys.length > 0) checkJson(keys.at(-1));
    checkForward('keyset', after, keys);
    return { rows: rows.slice(), keys }; // fetch may fill the same array again while these rows are handled
  }
}

/** Learns the direction of each part of the key from the rows, and detects a part that turns back. */
class LearnedOrder {
  readonly #directions: number[] = [];

  check(after: Json | [] | null, keys: readonly (Json | [])[]): void {
    let before = after;
    for (const key of keys) {
      if (before !== null) this.#checkStep(partsOf(before), partsOf(key));
      before = key;
    }
  }

  #checkStep(before: readonly Json[], key: readonly Json[]): void {
    const part = key.findIndex((value, index) => !isSameJson(value, before[index]));
    if (part < 0) return;
    const step = Math.sign(compareParts(key[part] as Json, before[part] as Json));
    if (Number.isNaN(step)) return;
    this.#directions[part] ??= step;
    if (this.#directions[part] === step) return;
    throw new InvalidEnumeratorError(
      `keyset: the rows are out of order: the key ${describe(key)} comes after ${describe(before)}. ` +
        'fetch must order by the key, part by part, and return only rows after `after`',
    );
  }
}

function partsOf(key: Json | []): readonly Json[] {
  return Array.isArray(key) ? (key as readonly Json[]) : [key];
}

const DATE = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?$/;

/** Compares numbers, and dates of one format. Only the database can compare other texts: NaN. */
function compareParts(one: Json, other: Json): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  const areDates = [one, other].every((part) => typeof part === 'string' && DATE.test(part));
  if (!areDates || (one as string).length !== (other as string).length) return Number.NaN;
  return (one as string) < (other as string) ? -1 : 1;
}
