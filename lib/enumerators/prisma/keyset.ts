import { describe } from '../../describe.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { KeyBounds, KeyValues } from '../contract/index.js';
import type { PrismaValues } from './client.js';
import { type ExactKey, type ExactKeys, PAGE_OF_A_MILLISECOND } from './exact.keys.js';
import { firstRounded, type KeyField } from './key.js';
import type { PrismaQuery } from './query.js';
import { millisecondOf } from './timestamp.js';
import { fromPrisma } from './value.js';
import { comparable, sharedValues, stagesAfter, upTo } from './where.js';

/** The result of {@link PrismaKeyset.fetch} while it is filled. */
interface Page {
  readonly rows: PrismaValues[];
  readonly keys: KeyValues[];
}

/** Which of the rows found are now in the page: all; up to the last one wanted; up to one that changed meanwhile. */
type Added = 'all' | 'until' | 'changed';

/** Reads a model's rows by key, page after page. */
export class PrismaKeyset {
  readonly #query: PrismaQuery;
  readonly #key: readonly KeyField[];
  readonly #exact: ExactKeys | undefined;
  /** How many leading fields of the key the whole last page had in common. At first, the most is assumed. */
  #shared: number;
  /** The last page's last key, if no row after it looks the same to Prisma. */
  #distinct: KeyValues | undefined;
  #suspected: string | undefined;

  constructor(query: PrismaQuery, key: readonly KeyField[], exact: ExactKeys | undefined) {
    this.#query = query;
    this.#key = key;
    this.#exact = exact;
    this.#shared = key.length;
  }

  async fetch({ after, until }: KeyBounds, limit: number): Promise<Page> {
    const page: Page = { rows: [], keys: [] };
    let added: Added;
    do added = await this.#fill(page, { after: page.keys.at(-1) ?? after, until }, limit);
    while (added === 'changed');
    this.#shared = sharedFields(page);
    return page;
  }

  async #fill(page: Page, { after, until }: KeyBounds, limit: number): Promise<Added> {
    if (after && after !== this.#distinct && this.#exact)
      await this.#addSameMillisecond(page, { exact: this.#exact, after, until, limit });
    const compared = after ? comparable(this.#key, after) : this.#key;
    const within = until ? [upTo(comparable(this.#key, until), until)] : [];
    for (const where of stagesAfter(compared, after, this.#shared)) {
      if (page.rows.length >= limit) return 'all';
      const missing = limit - page.rows.length;
      const found = await this.#query.find([where, ...within], { take: this.#exact ? missing + 1 : missing });
      const added = await this.#add(page, found.slice(0, missing), until);
      if (added !== 'all') return added;
      if (found.length > missing) this.#compareWithNext(page, found.slice(missing - 1));
    }
    return 'all';
  }

  /** If the row after the last one is in another millisecond, the next page need not read the rest of this one. */
  #compareWithNext(page: Page, [last, next]: readonly PrismaValues[]): void {
    if (!last || !next) return;
    const key = this.#keyOf(last);
    const isDistinct = sharedValues(key, this.#keyOf(next)) <= firstRounded(this.#key, key);
    this.#distinct = isDistinct ? page.keys.at(-1) : undefined;
  }

  /** Adds the rows of the same millisecond as the last one, which Prisma cannot distinguish from it. */
  async #addSameMillisecond(page: Page, options: KeyBounds & { exact: ExactKeys; limit: number }): Promise<void> {
    const { exact, until, limit } = options;
    for (let { after } = options; after && page.rows.length < limit; ) {
      const size = Math.min(limit - page.rows.length, PAGE_OF_A_MILLISECOND);
      const keys = await exact.sameMillisecond(after, until, size);
      if (keys.length > 0) await this.#addRowsOf(page, keys, exact);
      after = keys.length === size ? (keys.at(-1)?.key ?? null) : null;
    }
  }

  async #addRowsOf(page: Page, keys: readonly ExactKey[], exact: ExactKeys): Promise<void> {
    const found = await this.#query.find([exact.where(keys.map(({ identity }) => identity))], { take: keys.length });
    const rows = new Map(found.map((row) => [exact.identify(row), row]));
    for (const { identity, key } of keys) {
      const row = rows.get(identity);
      if (row) this.#push(page, row, key);
    }
  }

  async #add(page: Page, rows: readonly PrismaValues[], until: KeyValues | null): Promise<Added> {
    const keys = rows.length > 0 ? await this.#exact?.of(rows, until) : undefined;
    if (!keys) {
      for (const row of rows) this.#push(page, row, this.#keyOf(row));
      return 'all';
    }
    for (const row of rows) {
      const exact = this.#foundFor(row, keys);
      if (!exact) return 'changed';
      if (!exact.within) return 'until';
      this.#push(page, row, exact.key);
    }
    return 'all';
  }

  #push({ rows, keys }: Page, row: PrismaValues, key: KeyValues): void {
    keys.push(key);
    rows.push(this.#query.handedOut(row));
  }

  /** The exact key of a row; undefined when the row was deleted, or moved, between the two queries. */
  #foundFor(row: PrismaValues, keys: ReadonlyMap<PrismaValues, ExactKey>): ExactKey | undefined {
    const exact = keys.get(row);
    if (exact && this.#isWhereItWas(row, exact)) return exact;
    this.#suspect(row, exact);
    return undefined;
  }

  #isWhereItWas(row: PrismaValues, { key }: ExactKey): boolean {
    return this.#key.every((part, index) => {
      if (!part.rounded) return true;
      const [value, exact] = [row[part.field.name], key[index]];
      if (exact === null) return value === null;
      return value instanceof Date && value.getTime() === millisecondOf(String(exact)).from.getTime();
    });
  }

  /** A row that differs once was changed meanwhile. If it differs again, SQL and Prisma see different rows. */
  #suspect(row: PrismaValues, exact: ExactKey | undefined): void {
    const seen = exact ? `has ${describe(exact.key)} for` : 'does not see';
    const suspect = `${seen} the row ${this.#exact?.identify(row)}`;
    if (this.#suspected === suspect) {
      throw new InvalidEnumeratorError(
        `${this.#query.name}: SQL on this client ${suspect}, unlike Prisma, so its DateTime cannot be read exactly. ` +
          'Does an extension of the client set row-level security, or compute a field of that name? ' +
          'Use a key without a DateTime: { key: [...] }',
      );
    }
    this.#suspected = suspect;
  }

  #keyOf(row: PrismaValues): KeyValues {
    const [only] = this.#key;
    if (only && this.#key.length === 1) return [fromPrisma(only, row[only.field.name])]; // most keys: no closure a row
    return this.#key.map((part) => fromPrisma(part, row[part.field.name]));
  }
}

function sharedFields({ keys }: Page): number {
  return sharedValues(keys[0] ?? [], keys.at(-1) ?? []);
}
