import type { Json } from '../cursor.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import type { KeyValues } from './contract/index.js';
import type { ModelClient, OpenedModel, PrismaValues } from './prisma.client.js';
import type { KeyField } from './prisma.key.js';
import type { PrismaField, PrismaModel } from './prisma.model.js';
import { among, column, ordered, Sql, tableOf, text } from './prisma.sql.js';
import { bucketOf } from './prisma.timestamp.js';
import { fromPrisma, fromText, toPrisma, toText } from './prisma.value.js';
import { same, type Where } from './prisma.where.js';

export interface ExactKey {
  /** What the row is found by. */
  readonly identity: string;
  readonly key: KeyValues;
  /** It stands not behind the last row that is wanted. */
  readonly within: boolean;
}

/** Fields whose text is the same in Prisma and in PostgreSQL, so that a row can be found by it. */
const IDENTIFYING = ['Int', 'BigInt', 'String'];
const PARAMETERS = 30_000; // PostgreSQL takes 65,535 a query
const SEPARATOR = '\0'; // no text of PostgreSQL can contain it

/**
 * Reads keys by SQL, with their timestamps at full precision: Prisma rounds these to milliseconds in what it reads and
 * in what it is given.
 *
 * Texts go in and come out: PostgreSQL infers a parameter's type from the column it is compared with.
 */
export class ExactKeys {
  /** The fields that a row is found by. */
  readonly identity: readonly KeyField[];
  readonly #client: ModelClient;
  readonly #key: readonly KeyField[];
  readonly #rounded: readonly KeyField[];
  readonly #table: string;

  /** @throws InvalidOptionsError when the model has no unique fields that a row can be found by. */
  constructor(opened: OpenedModel, key: readonly KeyField[]) {
    this.#client = opened.delegate.$parent;
    this.#key = key;
    this.#rounded = key.filter(({ rounded }) => rounded);
    this.#table = tableOf(opened);
    this.identity = identityOf(opened.model);
  }

  /** The keys of rows that Prisma gave; of a row that was deleted meanwhile there is none. */
  async of(rows: readonly PrismaValues[], until: KeyValues | null): Promise<ReadonlyMap<PrismaValues, ExactKey>> {
    const byIdentity = new Map(rows.map((row) => [this.identify(row), row]));
    const identities = [...byIdentity.keys()];
    const found = new Map<PrismaValues, ExactKey>();
    const size = Math.floor(PARAMETERS / this.identity.length);
    for (let start = 0; start < identities.length; start += size) {
      const sql = new Sql();
      const select = this.#select(sql, { key: this.#rounded, until });
      const where = among(
        sql,
        this.identity,
        identities.slice(start, start + size).map((row) => row.split(SEPARATOR)),
      );
      for (const exact of await this.#run(`${select} WHERE ${where}`, { sql, key: this.#rounded })) {
        const row = byIdentity.get(exact.identity);
        if (row) found.set(row, { ...exact, key: this.#completed(row, exact.key) });
      }
    }
    return found;
  }

  /**
   * The next keys behind `after` with everything up to its timestamp the same and that one in the same millisecond: the
   * rows that Prisma cannot tell from the one of `after`.
   */
  async besides(after: KeyValues, until: KeyValues | null, limit: number): Promise<readonly ExactKey[]> {
    const sql = new Sql();
    const select = this.#select(sql, { key: this.#key, until: null });
    const at = this.#key.findIndex((part) => part.rounded);
    const { from, to } = bucketOf(String(after[at]));
    const time = column((this.#key[at] as KeyField).field);
    const conditions = [
      ...this.#key
        .slice(0, at)
        .map((part, index) => `${column(part.field)} = ${sql.value(toText(part, after[index]))}`),
      `${time} >= ${sql.value(from.toISOString())}`,
      `${time} < ${sql.value(to.toISOString())}`,
      ordered(sql, this.#key, after),
      ...(until ? [`NOT (${ordered(sql, this.#key, until)})`] : []),
    ];
    const order = this.#key.map(({ field, order }) => `${column(field)} ${order}`).join(', ');
    const text = `${select} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${limit}`;
    return this.#run(text, { sql, key: this.#key });
  }

  /** What a row of Prisma's is found by. */
  identify(row: PrismaValues): string {
    return this.identity.map((part) => String(fromPrisma(part, row[part.field.name]))).join(SEPARATOR);
  }

  /** A `where` of exactly the rows of these keys. */
  where(keys: readonly ExactKey[]): Where {
    const values = keys.map(({ identity }) =>
      identity.split(SEPARATOR).map((text, index) => fromText(this.identity[index] as KeyField, text)),
    );
    const [part] = this.identity;
    if (!part || this.identity.length > 1) return { OR: values.map((row) => same(this.identity, row)) };
    return { [part.field.name]: { in: values.map(([value]) => toPrisma(part, value)) } };
  }

  #completed(row: PrismaValues, times: KeyValues): KeyValues {
    return this.#key.map((part) =>
      part.rounded ? (times[this.#rounded.indexOf(part)] as Json) : fromPrisma(part, row[part.field.name]),
    );
  }

  #select(sql: Sql, { key, until }: { key: readonly KeyField[]; until: KeyValues | null }): string {
    const identity = this.identity.map(({ field }, index) => `${text(field)} AS i${index}`);
    const values = key.map(({ field }, index) => `${text(field)} AS k${index}`);
    const within = until ? `NOT (${ordered(sql, this.#key, until)})` : 'TRUE';
    return `SELECT ${[...identity, ...values].join(', ')}, ${within} AS within FROM ${this.#table}`;
  }

  async #run(text: string, { sql, key }: { sql: Sql; key: readonly KeyField[] }): Promise<readonly ExactKey[]> {
    const rows = (await this.#client.$queryRawUnsafe(text, ...sql.values)) as readonly Record<string, unknown>[];
    return rows.map((row) => ({
      identity: this.identity.map((_, index) => String(row[`i${index}`])).join(SEPARATOR),
      key: key.map((part, index) => fromText(part, String(row[`k${index}`]))),
      within: row.within === true,
    }));
  }
}

function identityOf(model: PrismaModel): readonly KeyField[] {
  const identifies = (name: string) => IDENTIFYING.includes(model.fields.get(name)?.type ?? '');
  const names = model.uniques.find((unique) => unique.every(identifies));
  if (names) {
    return names.map((name) => ({ field: model.fields.get(name) as PrismaField, order: 'asc', rounded: false }));
  }
  throw new InvalidOptionsError(
    `prisma.records: the key of ${model.name} has a DateTime, of which Prisma tells only milliseconds. The rest is read by ` +
      'a primary key or unique constraint of required Int, BigInt or String fields, and there is none. ' +
      'Add one, use other fields: { key: [...] }, or a generator of your own',
  );
}
