import type { KeyBounds, KeyValues } from '../contract/index.js';
import { bound, freeName, type IndexRange, indexRanges, ordered, orderOf, restrict, reversed } from './bounds.js';
import { keyOf } from './key.js';
import type { ExactPart } from './key.part.js';
import { executorOf, mainOf, type Query } from './query.js';
import { copyOf } from './typeorm.workarounds.js';

/** The keys of a query. The database finds them, and no row is loaded. */
export class TypeOrmKeys<Entity> {
  readonly #prefix: string;
  private readonly key: readonly ExactPart[];

  constructor(
    private readonly query: Query<Entity>,
    key: readonly ExactPart[],
    private readonly name: string,
  ) {
    // Ranges are cut only by comparisons, so texts that a sort takes for equal make no difference.
    this.key = key.map((part) => ({ ...part, sortsWithoutEnd: false }));
    this.#prefix = freeName(query, 'iteration_key');
  }

  /** The query, of the keys within the bounds only. */
  within(bounds: KeyBounds): Query<Entity> {
    const [range, ...others] = indexRanges(this.key, bounds);
    return this.#within(range && others.length === 0 ? range : { key: this.key, bounds, conditions: [] });
  }

  /** The last of the first `limit` keys within the bounds. The statement returns one row, and reads only these keys. */
  async last(bounds: KeyBounds, limit: number): Promise<KeyValues | undefined> {
    let last: KeyValues | undefined;
    let missing = limit;
    for (const range of indexRanges(this.key, bounds)) {
      const found = await this.#lastOf(range, missing);
      if (!found) continue;
      last = found.key;
      missing -= found.keys;
      if (missing === 0) break;
    }
    return last;
  }

  /** How many keys there are within the bounds. */
  async count(bounds: KeyBounds): Promise<number> {
    let keys = 0;
    for (const range of indexRanges(this.key, bounds)) {
      keys += (await this.#lastOf(range, Number.MAX_SAFE_INTEGER))?.keys ?? 0;
    }
    return keys;
  }

  async #lastOf(range: IndexRange, limit: number): Promise<{ key: KeyValues; keys: number } | undefined> {
    const columns = this.key.map(({ sql }) => sql).join(', ');
    const first = ordered(this.#within(range), orderOf(this.query, range)).select(columns).limit(limit);
    if (first.expressionMap.joinAttributes.length > 0) first.groupBy(columns);

    // Under the alias of the entity, the expressions of the key mean the columns of these first keys.
    const last = (first as unknown as Making).createQueryBuilder().from(`(${first.getQuery()})`, mainOf(first).name);
    last.addSelect('COUNT(*) OVER ()', KEYS);
    for (const { sql, selection = sql, alias } of this.key) last.addSelect(selection, alias);
    ordered(last, reversed(orderOf(this.query, range)))
      .limit(1)
      .setParameters(first.getParameters());

    // not from a replica, which TypeORM reads by default: rows to be written may be missing there
    const [row] = (await executorOf(first).query(...last.getQueryAndParameters())) as Record<string, unknown>[];
    return row && { key: keyOf(this.key, row, this.name), keys: Number(row[KEYS]) };
  }

  #within({ key, bounds, conditions }: Omit<IndexRange, 'whole'>): Query<Entity> {
    const query = copyOf(this.query);
    for (const condition of conditions) restrict(query, condition);
    return bound(query, { key, bounds, prefix: this.#prefix });
  }
}

const KEYS = 'iteration_keys';

/** TypeORM's way to make a query over another query. */
interface Making {
  createQueryBuilder(): { from(table: string, alias: string): Query<unknown> };
}
