import type { Json } from '../../cursor.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import type { KeyValues } from '../contract/index.js';
import type { ModelClient, OpenedModel, PrismaValues } from './client.js';
import type { Where } from './compare.js';
import { firstRounded, type KeyField } from './key.js';
import type { PrismaField } from './model.js';
import { among, column, equal, inJson, ordered, orderOf, Sql, tableOf } from './sql.js';
import { millisecondOf } from './timestamp.js';
import { fromPrisma, fromText, toPrisma, toText } from './value.js';
import { same } from './where.js';

/** Most keys that {@link ExactKeys.sameMillisecond} is asked for at a time. */
export const PAGE_OF_A_MILLISECOND = 1_000;

export interface ExactKey {
  /** The values that identify the row. */
  readonly identity: string;
  readonly key: KeyValues;
  /** Whether it is not after the last row that is wanted. */
  readonly within: boolean;
}

/** Fields whose text is the same in Prisma and in PostgreSQL, so that it can identify a row. */
const IDENTIFYING = ['Int', 'BigInt', 'String'];
const PARAMETERS = 30_000; // PostgreSQL takes 65,535 a query, Prisma half of them
const SEPARATOR = '\0'; // no text of PostgreSQL can contain it

/**
 * Reads keys by SQL, with timestamps at full precision. Prisma rounds timestamps to milliseconds, in rows and in `where`.
 *
 * Texts go in: PostgreSQL infers a parameter's type from the column it is compared with. One JSON text comes out, which
 * takes half the time of rows.
 */
export class ExactKeys {
  /** The fields that identify a row. */
  readonly identity: readonly KeyField[];
  readonly #client: ModelClient;
  readonly #key: readonly KeyField[];
  readonly #rounded: readonly KeyField[];
  readonly #table: string;

  /** @throws InvalidOptionsError when the model has no unique fields that identify a row in SQL. */
  constructor(opened: OpenedModel, key: readonly KeyField[]) {
    this.#client = opened.base;
    this.#key = key;
    this.#rounded = key.filter(({ rounded }) => rounded);
    this.#table = tableOf(opened);
    this.identity = identityOf(opened) ?? unidentified(opened, this.#rounded.length > 0);
  }

  /** The most rows that one `where` can list. */
  get most(): number {
    return Math.floor(PARAMETERS / this.identity.length);
  }

  /** The keys of rows that Prisma returned. A row that was deleted meanwhile has none. */
  async of(rows: readonly PrismaValues[], until: KeyValues | null): Promise<ReadonlyMap<PrismaValues, ExactKey>> {
    const byIdentity = new Map(rows.map((row) => [this.identify(row), row]));
    const identities = [...byIdentity.keys()];
    const found = new Map<PrismaValues, ExactKey>();
    for (let start = 0; start < identities.length; start += this.most) {
      const sql = new Sql();
      const select = this.#select(sql, { key: this.#rounded, until });
      const where = among(
        sql,
        this.identity,
        identities.slice(start, start + this.most).map((row) => row.split(SEPARATOR)),
      );
      for (const exact of await this.#run(`${select} WHERE ${where}`, { sql, key: this.#rounded })) {
        const row = byIdentity.get(exact.identity);
        if (row) found.set(row, { ...exact, key: this.#completed(row, exact.key) });
      }
    }
    return found;
  }

  /**
   * The next keys after `after` that equal it up to its first rounded time, and whose time is in the same millisecond.
   * Prisma cannot distinguish their rows from that of `after`.
   */
  async sameMillisecond(after: KeyValues, until: KeyValues | null, limit: number): Promise<readonly ExactKey[]> {
    const at = firstRounded(this.#key, after);
    if (at < 0) return [];
    const sql = new Sql();
    const select = this.#select(sql, { key: this.#key, until: null });
    const { from, to } = millisecondOf(String(after[at]));
    const time = column((this.#key[at] as KeyField).field);
    const conditions = [
      ...this.#key
        .slice(0, at)
        .map((part, index) => equal(part, after[index] === null ? 'NULL' : sql.value(toText(part, after[index])))),
      `${time} >= ${sql.value(from.toISOString())}`,
      `${time} < ${sql.value(to.toISOString())}`,
      ordered(sql, this.#key, after),
      ...(until ? [`${ordered(sql, this.#key, until)} IS NOT TRUE`] : []),
    ];
    const text = `${select} WHERE ${conditions.join(' AND ')} ORDER BY ${orderOf(this.#key)} LIMIT ${limit}`;
    return this.#run(text, { sql, key: this.#key });
  }

  /** The values that identify a row of Prisma's. */
  identify(row: PrismaValues): string {
    return this.identity.map((part) => String(fromPrisma(part, row[part.field.name]))).join(SEPARATOR);
  }

  /** A `where` that matches exactly the rows of these identities. */
  where(identities: readonly string[]): Where {
    const values = identities.map((identity) =>
      identity.split(SEPARATOR).map((text, index) => fromText(this.identity[index] as KeyField, text)),
    );
    const last = this.identity.at(-1) as KeyField;
    const leading = this.identity.slice(0, -1);
    const groups = new Map<string, KeyValues[]>();
    for (const row of values) {
      const name = JSON.stringify(row.slice(0, -1));
      const group = groups.get(name);
      if (group) group.push(row);
      else groups.set(name, [row]);
    }
    const wheres = [...groups.values()].map((rows) => ({
      ...same(leading, rows[0] ?? []),
      [last.field.name]: { in: rows.map((row) => toPrisma(last, row.at(-1))) },
    }));
    return wheres.length === 1 ? (wheres[0] as Where) : { OR: wheres };
  }

  #completed(row: PrismaValues, times: KeyValues): KeyValues {
    return this.#key.map((part) =>
      part.rounded ? (times[this.#rounded.indexOf(part)] as Json) : fromPrisma(part, row[part.field.name]),
    );
  }

  #select(sql: Sql, { key, until }: { key: readonly KeyField[]; until: KeyValues | null }): string {
    const within = until ? `${ordered(sql, this.#key, until)} IS NOT TRUE` : 'TRUE';
    const values = [...this.identity, ...key].map(({ field }) => inJson(field));
    return `SELECT json_build_array(${[within, ...values].join(', ')}) AS key FROM ${this.#table}`;
  }

  async #run(select: string, { sql, key }: { sql: Sql; key: readonly KeyField[] }): Promise<readonly ExactKey[]> {
    const text = `SELECT CAST(json_agg(key) AS text) AS keys FROM (${select}) AS found`;
    const [found] = (await this.#client.$queryRawUnsafe(text, ...sql.values)) as readonly { keys: string | null }[];
    const rows = JSON.parse(found?.keys ?? '[]') as readonly (readonly [boolean, ...(string | null)[]])[];
    const fields = this.identity.length;
    return rows.map(([within, ...values]) => ({
      identity: fields === 1 ? String(values[0]) : values.slice(0, fields).join(SEPARATOR),
      key: key.map((part, index) => fromText(part, values[fields + index] as string | null)),
      within,
    }));
  }
}

/** Unique fields that identify a row in SQL; undefined: the model has none. */
export function identityOf({ model }: OpenedModel): readonly KeyField[] | undefined {
  const identifies = (name: string) => IDENTIFYING.includes(model.fields.get(name)?.type ?? '');
  const names = model.uniques.find((unique) => unique.every(identifies));
  return names?.map((name) => ({ field: model.fields.get(name) as PrismaField, order: 'asc', rounded: false }));
}

function unidentified({ model, source }: OpenedModel, hasTimes: boolean): never {
  const why = hasTimes
    ? `the key of ${model.name} has a DateTime, of which Prisma has only milliseconds, so its rows are identified by`
    : `${model.name} is read through an extended client or in a transaction, where its rows are identified by`;
  throw new InvalidOptionsError(
    `${source}: ${why} a primary key or unique constraint of required Int, BigInt or String fields, and there is none. ` +
      'Add one, use other fields: { key: [...] }, or iterate with your own generator',
  );
}
