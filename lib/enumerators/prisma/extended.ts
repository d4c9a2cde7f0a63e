import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { KeyBounds, KeyedRows, KeyValues } from '../contract/index.js';
import type { PrismaValues } from './client.js';
import type { ExactKeys } from './exact.keys.js';
import type { KeyField } from './key.js';
import { PrismaKeyset } from './keyset.js';
import type { PrismaQuery } from './query.js';
import { comparable, rowsAfter, upTo } from './where.js';

type Page = KeyedRows<PrismaValues>;

/** The queries that read the rows of an extended client. */
interface ExtendedReading {
  /** The user's query, through all extensions. */
  readonly query: PrismaQuery;
  /** The keys and identities of the same rows, by the client without extensions. */
  readonly keys: PrismaQuery;
  readonly key: readonly KeyField[];
  readonly identity: ExactKeys;
  /** For a key with times that a Date does not hold. */
  readonly exact: ExactKeys | undefined;
}

const NOTHING: Page = { rows: [], keys: [] };

/**
 * Pages of an extended client. The client without extensions reads the keys, and the extended client reads the rows of
 * these keys. Its extensions may filter the rows, shorten a page, and compute fields.
 */
export class ExtendedKeyset {
  readonly #reading: ExtendedReading;
  readonly #keyset: PrismaKeyset;
  /** The last key that was returned, and the last key that was read. */
  #given: KeyValues | undefined;
  #reached: KeyValues | undefined;
  /** Reads only by the extended client, if the other client sees no row: row-level security, an encrypted `where`. */
  #alone: PrismaKeyset | undefined;

  constructor(reading: ExtendedReading) {
    this.#reading = reading;
    this.#keyset = new PrismaKeyset(reading.keys, reading.key, reading.exact);
  }

  async fetch({ after, until }: KeyBounds, limit: number): Promise<Page> {
    if (this.#alone) return this.#alone.fetch({ after, until }, limit);
    let from = after !== null && after === this.#given ? (this.#reached ?? after) : after;
    for (;;) {
      const page = await this.#keyset.fetch({ after: from, until }, Math.min(limit, this.#reading.identity.most));
      const last = page.keys.at(-1);
      if (!last) return this.#atTheEnd({ after: from, until }, limit);
      const found = await this.#rowsOf(page, from);
      this.#reached = last;
      this.#given = found.keys.at(-1);
      if (found.keys.length > 0) return found;
      from = last;
    }
  }

  /** The rows of these keys that the extended client returns. The query is repeated until it returns nothing new. */
  async #rowsOf(page: Page, after: KeyValues | null): Promise<Page> {
    const { query, key, identity } = this.#reading;
    const wanted = page.rows.map((row) => identity.identify(row));
    const last = page.keys.at(-1) as KeyValues;
    const within = [...(after ? [rowsAfter(comparable(key, after), after)] : []), upTo(comparable(key, last), last)];
    const rows = new Map<string, PrismaValues>();
    const strangers = this.#add(rows, await query.find(within, { take: wanted.length }), wanted);
    if (strangers.length > 0) await this.#refuseUnseen(strangers);
    for (let known = -1; known < rows.size && rows.size < wanted.length; ) {
      known = rows.size;
      const missing = wanted.filter((name) => !rows.has(name));
      const others = this.#add(rows, await query.find([identity.where(missing)], { take: missing.length }), missing);
      if (others.length > 0) throw this.#computed(others[0] as string);
    }
    const given = wanted.flatMap((name, index) => (rows.has(name) ? [index] : []));
    return {
      rows: given.map((index) => query.handedOut(rows.get(wanted[index] as string) as PrismaValues)),
      keys: given.map((index) => page.keys[index] as KeyValues),
    };
  }

  /** @returns The identities of the rows that were not requested. */
  #add(rows: Map<string, PrismaValues>, found: readonly PrismaValues[], wanted: readonly string[]): readonly string[] {
    const names = new Set(wanted);
    const strangers: string[] = [];
    for (const row of found) {
      const name = this.#reading.identity.identify(row);
      if (!names.has(name)) strangers.push(name);
      else if (rows.has(name)) throw this.#computed(name);
      else rows.set(name, row);
    }
    return strangers;
  }

  async #atTheEnd({ after, until }: KeyBounds, limit: number): Promise<Page> {
    const { query, key, exact, identity } = this.#reading;
    const [unseen] = await query.find(this.#beyond({ after, until }), { take: 1 });
    if (!unseen || (await this.#sees([identity.identify(unseen)])).length > 0) return NOTHING;
    if (this.#reached) await this.#refuseUnseen([identity.identify(unseen)]);
    this.#alone = new PrismaKeyset(query, key, exact);
    return this.#alone.fetch({ after, until }, limit);
  }

  #beyond({ after, until }: KeyBounds) {
    const { key } = this.#reading;
    return [
      ...(after ? [rowsAfter(comparable(key, after), after)] : []),
      ...(until ? [upTo(comparable(key, until), until)] : []),
    ];
  }

  async #sees(names: readonly string[]): Promise<readonly string[]> {
    const { keys, identity } = this.#reading;
    const found = await keys.find([identity.where(names)], { take: names.length });
    return found.map((row) => identity.identify(row));
  }

  /** Rows that were inserted between the two queries are seen by both clients. */
  async #refuseUnseen(names: readonly string[]): Promise<void> {
    const seen = new Set(await this.#sees(names));
    const unseen = names.find((name) => !seen.has(name));
    if (unseen === undefined) return;
    throw new InvalidEnumeratorError(
      `${this.#reading.query.name}: the extended client returns the row ${unseen}, which the client without extensions does ` +
        'not see, so its position is unknown. Does an extension set row-level security, rewrite the "where", or compute ' +
        `the fields that identify a row (${this.#identityNames()})?`,
    );
  }

  #computed(name: string): InvalidEnumeratorError {
    return new InvalidEnumeratorError(
      `${this.#reading.query.name}: the extended client returned the row ${name}, which was not requested. Does an extension ` +
        `compute the fields that identify a row (${this.#identityNames()})? They must stay as they are`,
    );
  }

  #identityNames(): string {
    return this.#reading.identity.identity.map(({ field }) => field.name).join(', ');
  }
}
