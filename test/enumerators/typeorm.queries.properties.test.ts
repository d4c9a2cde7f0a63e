import type { SelectQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, describe } from 'vitest';
import {
  type Bounds,
  type Enumerator,
  type KeyColumn,
  type Page,
  type PageReader,
  SourceEnumerator,
  sourceOf,
} from '../../lib/enumerators/contract/index.js';
import { ordered } from '../../lib/enumerators/typeorm/bounds.js';
import { keyParts } from '../../lib/enumerators/typeorm/key.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { itCutsAnyKey } from '../support/keyset-parts.js';
import { itFollowsAnyKey, type KeyRow, type KeysetWorld } from '../support/keyset-properties.js';
import { DRIVERS, databaseName } from '../support/typeorm-drivers.js';
import { DIALECTS, type KeyTable, openKeyTable } from '../support/typeorm-worlds.js';

const typeorm = new TypeOrmEnumeratorBuilder();
type Batch = SelectQueryBuilder<KeyRow>;

describe.each(Object.entries(DRIVERS))('typeorm.queries, by any key on %s', (name, driver) => {
  const database = databaseName(name);
  const { dialect, columns } = DIALECTS[driver.family];
  let table: KeyTable;
  let drop: (() => Promise<void>) | undefined;
  /** The key of the current case. */
  let current: readonly KeyColumn[] = [];
  beforeAll(async () => {
    const opened = await driver.open();
    drop = opened.drop;
    table = await openKeyTable(opened.options, dialect);
  });
  afterAll(async () => {
    await table?.close();
    await drop?.();
  });

  const world: KeysetWorld<Batch> & Required<Pick<KeysetWorld<Batch>, 'partitions'>> = {
    source: 'typeorm.queries',
    database,
    columns,
    reset: (rows) => table.reset(rows),
    insert: (rows) => table.insert(rows),
    remove: (ids) => table.remove(ids),
    build(at, { key = [], rows }) {
      current = key;
      return typeorm.queries(table.rows, { ...at, ...(key.length > 0 && { key }), batchSize: rows });
    },
    partitions: (options) => typeorm.partitions(table.rows, options),
    records: (batch) => idsOf(batch, current),
  };
  itFollowsAnyKey(world);
  itCutsAnyKey(world);

  describe('of 60 rows', () => {
    const key = [
      { column: 'note', order: 'desc', nulls: 'first' },
      { column: 'at', order: 'asc' },
    ] as const;
    const rows = Array.from({ length: 60 }, (_, id): KeyRow => {
      const time = `2026-01-01 00:00:00.000${100 + (id % 7)}`;
      const note = id % 3 === 0 ? null : `n${id % 4}`;
      return { id, rank: id % 2, maybe: null, name: 'x', note, at: time, seen: null, big: '1', price: '1' };
    });
    beforeAll(() => table.reset(rows));

    for (const batchSize of [1, 7, 1_000]) {
      itKeepsTheEnumeratorContract(`typeorm.queries on ${database}, batches of ${batchSize}`, {
        size: 'exact',
        build: (at) => idsIn(typeorm.queries(table.rows, { ...at, key, batchSize }), key),
        stretches: 6,
        expected: async () => {
          const ids: number[] = [];
          for await (const [{ id }] of typeorm.records(table.rows, { cursor: null, key })) ids.push(id);
          const starts = Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, index) => index * batchSize);
          return starts.map((start) => String(ids.slice(start, start + batchSize)));
        },
      });
    }
  });
});

/** The ids of a batch, in the order of the key. */
async function idsOf(batch: Batch, key: readonly KeyColumn[]): Promise<number[]> {
  const parts = keyParts(batch, key, 'typeorm.queries');
  const rows = await ordered(batch.clone().select('KeyRow.id', 'id'), parts).getRawMany<{ id: number }>();
  return rows.map(({ id }) => id);
}

/** The same source, with the ids of each batch as its item. */
function idsIn(enumerator: Enumerator<Batch>, key: readonly KeyColumn[]): Enumerator<string> {
  const { source, cursor } = sourceOf(enumerator);
  const read = (bounds: Bounds): PageReader<string> => {
    const reader = source.read(bounds);
    return {
      async next() {
        const page = (await reader.next()) as Page<Batch> | undefined;
        if (!page) return undefined;
        const items = await Promise.all(page.items.map(async (batch) => String(await idsOf(batch, key))));
        return { items, cursorAt: (index) => page.cursorAt(index) };
      },
      close: () => reader.close(),
    };
  };
  return new SourceEnumerator<string>({ read, size: () => source.size?.() }, cursor);
}
