import { cursorOf, cutsOf, evenSizes, type Part, partsBetween } from '../contract/index.js';
import type { KeyPart } from './key.part.js';
import { TypeOrmQueries } from './queries.js';
import type { Query } from './query.js';
import { sampledKeys } from './sample.js';
import { copyOf } from './typeorm.workarounds.js';

interface Cutting {
  readonly key: readonly KeyPart[];
  readonly count: number;
  /** For error messages: `typeorm.partitions`. */
  readonly source: string;
}

/**
 * Cuts a query into parts by its key: at a sample of the keys of a large table, else exactly.
 *
 * @param select Closed, as for {@link TypeOrmQueries}.
 */
export async function partitionsOf(select: Query<unknown>, { key, count, source }: Cutting): Promise<Part[]> {
  if (count === 1) return partsBetween([]);
  const queries = new TypeOrmQueries(select, key, 1, source);
  const sampled = await sampledKeys(select, { key: await queries.exactParts(), count, name: queries.name });
  if (sampled) return partsBetween(sampled.map(cursorOf));
  const rows = await copyOf(select).getCount();
  return partsBetween(await cutsOf(queries, evenSizes(rows, count)));
}
