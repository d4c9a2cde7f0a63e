import fc from 'fast-check';
import { expect } from 'vitest';
import { caseOf, comparison, KEY_NAMES, type KeyRow, type KeysetWorld } from './keyset-properties.js';
import { itCoversEveryItem, partsOf } from './part-properties.js';

/** A world whose source can be cut. */
export type CutWorld<Item> = KeysetWorld<Item> & Required<Pick<KeysetWorld<Item>, 'partitions'>>;

/** R27 over random tables, keys, directions, NULLs, counts, interruptions, insertions and deletions after the cut. */
export function itCutsAnyKey<Item>(world: CutWorld<Item>): void {
  const { source, database, columns = KEY_NAMES } = world;
  const cases = fc.record({
    table: caseOf(columns),
    count: fc.integer({ min: 1, max: 6 }),
    stop: fc.integer({ min: 1, max: 4 }),
  });
  itCoversEveryItem(`${source} on ${database}`, {
    cases,
    async begin({ table: { rows, key, size, runs }, count, stop }) {
      await world.reset(rows);
      const by = key.length > 0 ? key : undefined;
      const ranges = partsOf(await world.partitions({ key: by, count }));
      if (size === 1) expect(await sizesOf(world, ranges, by)).toBe(rows.length);
      const sorted = [...rows].sort(comparison(key));
      const passing = new Set<number>();
      const present = new Map<number, KeyRow>(sorted.map((row) => [row.id, row]));
      const change = async (step: number) => {
        const { inserted = [], removed = [] } = runs[step] ?? {};
        const gone = removed.flatMap((index) => present.get([...present.keys()][index] ?? Number.NaN)?.id ?? []);
        const fresh = inserted.filter(({ id }) => !passing.has(id) && !sorted.some((row) => row.id === id));
        if (gone.length > 0) await world.remove(gone);
        if (fresh.length > 0) await world.insert(fresh);
        for (const id of gone) present.delete(id);
        for (const row of fresh) present.set(row.id, row);
        for (const id of [...gone, ...fresh.map(({ id }) => id)]) passing.add(id);
      };
      await change(0);
      return {
        ranges,
        fewest: Math.max(1, Math.min(rows.length, count)),
        stop,
        build: (at) => world.build(at, { key: by, rows: size }),
        records: (item) => world.records(item),
        expected: () => sorted.map(({ id }) => id),
        change: (part) => change(part + 1),
        passing: () => passing,
      };
    },
  });
}

/** How many items of one row all parts have. */
async function sizesOf<Item>(world: CutWorld<Item>, ranges: ReturnType<typeof partsOf>, key: KeyCut['key']) {
  const sizes = ranges.map((range) => world.build({ cursor: null, range }, { key, rows: 1 }).size?.());
  return (await Promise.all(sizes)).reduce((sum: number, size) => sum + (size ?? Number.NaN), 0);
}

type KeyCut = Parameters<CutWorld<unknown>['partitions']>[0];
