import type { KeyBounds, KeyedRows, KeyValues } from '../contract/index.js';
import type { PrismaValues } from './client.js';
import type { Where } from './compare.js';
import type { KeyField } from './key.js';
import type { PrismaQuery } from './query.js';
import { fromPrisma } from './value.js';
import { between, sharedValues, stagesAfter, upTo } from './where.js';

/** Cuts a model's rows into ranges of the key. Only the last key of each range is read. */
export class RangeCutter {
  /** How many leading fields of the key did not change in the last range. At first, the most is assumed. */
  #shared: number;

  constructor(
    private readonly query: PrismaQuery,
    private readonly key: readonly KeyField[],
  ) {
    this.#shared = key.length;
  }

  /** A `where` of the next `size` rows, with the last row's key. There is none if there are no rows. */
  async cut(bounds: KeyBounds, size: number): Promise<KeyedRows<Where>> {
    const last = await this.#last(bounds, size);
    if (!last) return { rows: [], keys: [] };
    this.#shared = sharedValues(bounds.after ?? last, last);
    return { rows: [this.query.where([between(this.key, bounds.after, last)])], keys: [last] };
  }

  async #last({ after, until }: KeyBounds, size: number): Promise<KeyValues | undefined> {
    const within = until ? [upTo(this.key, until)] : [];
    let last: PrismaValues | undefined;
    let missing = size;
    const stages = stagesAfter(this.key, after, this.#shared);
    for (const [index, where] of stages.entries()) {
      const stage = [where, ...within];
      const [found] = await this.query.find(stage, { take: 1, skip: missing - 1 });
      if (found) return this.#keyOf(found);
      const [end] = await this.query.find(stage, { take: -1 });
      last = end ?? last;
      if (!end || index === stages.length - 1) continue;
      missing -= await this.query.count(stage);
      if (missing < 1) break; // rows were inserted between the queries
    }
    return last && this.#keyOf(last);
  }

  #keyOf(row: PrismaValues): KeyValues {
    return this.key.map((part) => fromPrisma(part, row[part.field.name]));
  }
}
