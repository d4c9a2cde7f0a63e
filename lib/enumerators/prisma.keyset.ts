import { InvalidEnumeratorError } from '../iteration.errors.js';
import type { KeyedRow, KeysetQuery, KeyValues } from './contract/index.js';
import type { PrismaValues } from './prisma.client.js';
import type { ExactKey, ExactKeys } from './prisma.exact.js';
import type { KeyField } from './prisma.key.js';
import type { PrismaQuery } from './prisma.query.js';
import { bucketOf } from './prisma.timestamp.js';
import { fromPrisma } from './prisma.value.js';
import { behind, comparable, upTo, type Where } from './prisma.where.js';

type Bounds = Parameters<KeysetQuery<PrismaValues>['fetch']>[0];
type Page = KeyedRow<PrismaValues>[];

/** How the rows found went into the page: all of them; up to the last one wanted; up to one that changed meanwhile. */
type Added = 'all' | 'until' | 'changed';

const BESIDES = 1000;

/** One reading of a model's rows by key, page after page. */
export class PrismaKeyset {
  readonly #query: PrismaQuery;
  readonly #key: readonly KeyField[];
  readonly #compared: readonly KeyField[];
  readonly #exact: ExactKeys | undefined;
  /** How many leading fields of the key the whole last page had in common; before it, expect the most. */
  #shared: number;
  #suspected: string | undefined;

  constructor(query: PrismaQuery, key: readonly KeyField[], exact: ExactKeys | undefined) {
    this.#query = query;
    this.#key = key;
    this.#compared = comparable(key);
    this.#exact = exact;
    this.#shared = key.length;
  }

  async fetch({ after, until }: Bounds, limit: number): Promise<readonly KeyedRow<PrismaValues>[]> {
    const page: Page = [];
    let added: Added;
    do added = await this.#fill(page, { after: page.at(-1)?.key ?? after, until }, limit);
    while (added === 'changed');
    this.#shared = sharedFields(page);
    return page;
  }

  async #fill(page: Page, { after, until }: Bounds, limit: number): Promise<Added> {
    if (after && this.#exact) await this.#addBesides(page, { exact: this.#exact, after, until, limit });
    for (const where of this.#stages(after)) {
      if (page.length >= limit) return 'all';
      const wheres = until ? [where, upTo(this.#compared, until)] : [where];
      const found = await this.#query.find(wheres, limit - page.length);
      const added = await this.#add(page, found, until);
      if (added !== 'all') return added;
    }
    return 'all';
  }

  /** Which rows to ask for, one query after the other, until the page is full. */
  #stages(after: KeyValues | null): readonly Where[] {
    if (!after) return [{}];
    const key = this.#compared;
    // Where many rows share leading fields, an index can be entered at the place only with these fields fixed.
    const fixed = Math.min(this.#shared, key.length - 1);
    const fewer = Array.from({ length: fixed }, (_, index) => fixed - 1 - index);
    return [behind(key, after, fixed), ...fewer.map((equal) => behind(key.slice(0, equal + 1), after, equal))];
  }

  /** Adds the rows of the same millisecond as the last one, which Prisma cannot tell from it. */
  async #addBesides(page: Page, options: Bounds & { exact: ExactKeys; limit: number }): Promise<void> {
    const { exact, until, limit } = options;
    for (let { after } = options; after && page.length < limit; ) {
      const size = Math.min(limit - page.length, BESIDES);
      const keys = await exact.besides(after, until, size);
      if (keys.length > 0) await this.#addRowsOf(page, keys, exact);
      after = keys.length === size ? (keys.at(-1)?.key ?? null) : null;
    }
  }

  async #addRowsOf(page: Page, keys: readonly ExactKey[], exact: ExactKeys): Promise<void> {
    const found = await this.#query.find([exact.where(keys)], keys.length);
    const rows = new Map(found.map((row) => [exact.identify(row), row]));
    for (const { identity, key } of keys) {
      const row = rows.get(identity);
      if (row) page.push({ row: this.#query.handedOut(row), key });
    }
  }

  async #add(page: Page, rows: readonly PrismaValues[], until: KeyValues | null): Promise<Added> {
    const keys = rows.length > 0 ? await this.#exact?.of(rows, until) : undefined;
    if (!keys) {
      for (const row of rows) page.push({ row: this.#query.handedOut(row), key: this.#keyOf(row) });
      return 'all';
    }
    for (const row of rows) {
      const exact = this.#foundFor(row, keys);
      if (!exact) return 'changed';
      if (!exact.within) return 'until';
      page.push({ row: this.#query.handedOut(row), key: exact.key });
    }
    return 'all';
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
      const value = row[part.field.name];
      return (
        !part.rounded || (value instanceof Date && value.getTime() === bucketOf(String(key[index])).from.getTime())
      );
    });
  }

  /** A row that differs once was changed meanwhile; one that does so again is another in SQL than in Prisma. */
  #suspect(row: PrismaValues, exact: ExactKey | undefined): void {
    const seen = exact ? `has ${JSON.stringify(exact.key)} for` : 'does not see';
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

function sharedFields(page: Page): number {
  const [first, last] = [page[0]?.key ?? [], page.at(-1)?.key ?? []];
  const differing = first.findIndex((value, index) => value !== last[index]);
  return differing < 0 ? first.length : differing;
}
