import { afterAll, beforeAll } from 'vitest';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { itCutsAnyKey } from './keyset-parts.js';
import { itFollowsAnyKey, type KeyRow } from './keyset-properties.js';
import { type Driver, type DriverName, databaseName } from './typeorm-drivers.js';
import { DIALECTS, type KeyTable, openKeyTable } from './typeorm-worlds.js';

/** Tests `typeorm.records` and `typeorm.batches` on the table of {@link KeyRow}, with a driver. */
export function itFollowsAnyTypeOrmKey(name: DriverName, driver: Driver): void {
  const database = databaseName(name);
  const { dialect, columns } = DIALECTS[driver.family];
  const typeorm = new TypeOrmEnumeratorBuilder();
  let table: KeyTable;
  let drop: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    const opened = await driver.open();
    drop = opened.drop;
    table = await openKeyTable(opened.options, dialect);
  });
  afterAll(async () => {
    await table?.close();
    await drop?.();
  });

  const joined = () => table.rows.createQueryBuilder('r').leftJoin('KeyRow', 'o', 'o.rank = 0 OR o.id = r.id');

  const tables = {
    database,
    columns,
    reset: (rows: readonly KeyRow[]) => table.reset(rows),
    insert: (rows: readonly KeyRow[]) => table.insert(rows),
    remove: (ids: readonly number[]) => table.remove(ids),
  };

  itCutsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records',
    build: (at, { key, rows }) => typeorm.records(table.rows, { ...at, key, pageSize: rows }),
    partitions: (options) => typeorm.partitions(table.rows, options),
    records: ({ id }) => [id],
  });

  itCutsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records of a join',
    build: (at, { key, rows }) => typeorm.records(joined(), { ...at, key, pageSize: rows }),
    partitions: (options) => typeorm.partitions(joined(), options),
    records: ({ id }) => [id],
  });

  itFollowsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records',
    build: (at, { key, rows }) => typeorm.records(table.rows, { ...at, key, pageSize: rows }),
    records: ({ id }) => [id],
  });

  itFollowsAnyKey<KeyRow>({
    ...tables,
    source: 'typeorm.records of a join',
    build: (at, { key, rows }) => typeorm.records(joined(), { ...at, key, pageSize: rows }),
    records: ({ id }) => [id],
  });

  itFollowsAnyKey<KeyRow[]>({
    ...tables,
    source: 'typeorm.batches',
    build: (at, { key, rows }) => typeorm.batches(table.rows, { ...at, key, batchSize: rows }),
    records: (batch) => batch.map(({ id }) => id),
  });
}
