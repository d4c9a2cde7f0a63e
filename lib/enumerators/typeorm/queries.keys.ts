import type { KeyValues } from '../contract/index.js';
import {
  bound,
  freeName,
  type KeyBounds,
  ordered,
  orderOf,
  restrict,
  reversed,
  type Stretch,
  stretches,
} from './bounds.js';
import { keyOf } from './key.js';
import type { ExactPart } from './key.part.js';
import { executorOf, mainOf, type Query } from './query.js';
import { copyOf } from './typeorm.workarounds.js';

/** The keys of a query, found by the database: no row of it is loaded. */
export class TypeOrmKeys<Entity> {
  readonly #prefix: string;
  private readonly key: readonly ExactPart[];

  constructor(
    private readonly query: Query<Entity>,
    key: readonly ExactPart[],
    private readonly name: string,
  ) {
    // Ranges are cut by comparisons alone, so nothing depends on what a sort takes for equal.
    this.key = key.map((part) => ({ ...part, sortsWithoutEnd: false }));
    this.#prefix = freeName(query, 'iteration_key');
  }

  /** The query, of the keys within the bounds only. */
  within(bounds: KeyBounds): Query<Entity> {
    const [stretch, ...others] = stretches(this.key, bounds);
    return this.#within(stretch && others.length === 0 ? stretch : { key: this.key, bounds, conditions: [] });
  }

  /** The last of the first `limit` keys within the bounds: one row, of a statement that reads no more keys than these. */
  async last(bounds: KeyBounds, limit: number): Promise<KeyValues | undefined> {
    let last: KeyValues | undefined;
    let missing = limit;
    for (const stretch of stretches(this.key, bounds)) {
      const found = await this.#lastOf(stretch, missing);
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
    for (const stretch of stretches(this.key, bounds)) {
      keys += (await this.#lastOf(stretch, Number.MAX_SAFE_INTEGER))?.keys ?? 0;
    }
    return keys;
  }

  async #lastOf(stretch: Stretch, limit: number): Promise<{ key: KeyValues; keys: number } | undefined> {
    const columns = this.key.map(({ sql }) => sql).join(', ');
    const first = ordered(this.#within(stretch), orderOf(this.query, stretch)).select(columns).limit(limit);
    if (first.expressionMap.joinAttributes.length > 0) first.groupBy(columns);

    // Under the alias of the entity, the expressions of the key mean the columns of these first keys.
    const last = (first as unknown as Making).createQueryBuilder().from(`(${first.getQuery()})`, mainOf(first).name);
    last.addSelect('COUNT(*) OVER ()', KEYS);
    for (const { sql, selection = sql, alias } of this.key) last.addSelect(selection, alias);
    ordered(last, reversed(orderOf(this.query, stretch)))
      .limit(1)
      .setParameters(first.getParameters());

    // Not from a replica, as TypeORM reads by itself: it may lack rows that are to be written to.
    const [row] = (await executorOf(first).query(...last.getQueryAndParameters())) as Record<string, unknown>[];
    return row && { key: keyOf(this.key, row, this.name), keys: Number(row[KEYS]) };
  }

  #within({ key, bounds, conditions }: Omit<Stretch, 'whole'>): Query<Entity> {
    const query = copyOf(this.query);
    for (const condition of conditions) restrict(query, condition);
    return bound(query, { key, bounds, prefix: this.#prefix });
  }
}

const KEYS = 'iteration_keys';

/** How TypeORM makes a query over another one. */
interface Making {
  createQueryBuilder(): { from(table: string, alias: string): Query<unknown> };
}
