import type { DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll } from 'vitest';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { itFollowsAnyKey, type KeyName, type KeyRow } from './keyset-properties.js';
import { type Dialect, type KeyTable, openKeyTable } from './typeorm-worlds.js';

/** Tries `typeorm.records` and `typeorm.batches` on the table of {@link KeyRow} in a database. */
export function itFollowsAnyTypeOrmKey(
  database: string,
  world: { dialect: Dialect; columns?: readonly KeyName[]; open: () => Promise<DataSourceOptions> },
): void {
  const typeorm = new TypeOrmEnumeratorBuilder();
  let table: KeyTable;
  beforeAll(async () => {
    table = await openKeyTable(await world.open(), world.dialect);
  });
  afterAll(async () => {
    await table?.close();
  });

  const tables = {
    database,
    columns: world.columns,
    reset: (rows: readonly KeyRow[]) => table.reset(rows),
    insert: (rows: readonly KeyRow[]) => table.insert(rows),
    remove: (ids: readonly number[]) => table.remove(ids),
  };

  itFollowsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records',
    build: (at, { key, rows }) => typeorm.records(table.rows, { ...at, key, pageSize: rows }),
    records: ({ id }) => [id],
  });

  itFollowsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records of a join',
    build: (at, { key, rows }) => {
      const repeated = table.rows.createQueryBuilder('r').leftJoin('KeyRow', 'o', 'o.rank = 0 OR o.id = r.id');
      return typeorm.records(repeated, { ...at, key, pageSize: rows });
    },
    records: ({ id }) => [id],
  });

  itFollowsAnyKey<KeyRow[]>({
    ...tables,
    source: 'typeorm.batches',
    build: (at, { key, rows }) => typeorm.batches(table.rows, { ...at, key, batchSize: rows }),
    records: (batch) => batch.map(({ id }) => id),
  });
}
