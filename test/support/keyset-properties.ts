import fc from 'fast-check';
import type { Json } from '../../lib/cursor.js';
import type { At, Enumerator, KeyColumn, PartOptions } from '../../lib/enumerators/contract/index.js';
import { itResumesExactly, type Model } from './resume-properties.js';

/** A row of the table that every keyset source is tried on. */
export interface KeyRow {
  readonly id: number;
  /** Few values, so many ties. */
  readonly rank: number;
  readonly maybe: number | null;
  /** Ordered by its bytes. */
  readonly name: string;
  readonly note: string | null;
  /** Microseconds, as `2026-01-01 00:00:00.000123`. */
  readonly at: string;
  readonly seen: string | null;
  /** Beyond 2^53, as text. */
  readonly big: string;
  /** A decimal of 20 places, as text. */
  readonly price: string;
}

export type KeyName = keyof KeyRow;

/** A table of {@link KeyRow} in some database, and a source over it. */
export interface KeysetWorld<Item> {
  readonly source: string;
  readonly database: string;
  /** Columns that a key may have; all by default. */
  readonly columns?: readonly KeyName[];
  /** Replaces the rows of the table. */
  reset(rows: readonly KeyRow[]): Promise<void>;
  insert(rows: readonly KeyRow[]): Promise<void>;
  remove(ids: readonly number[]): Promise<void>;
  build(at: PartOptions, options: { key: readonly KeyColumn[] | undefined; rows: number }): Enumerator<Item>;
  /** Cuts the source; see {@link itCutsAnyKey}. */
  partitions?(options: { key: readonly KeyColumn[] | undefined; count: number }): Promise<Json[]>;
  /** The ids of the records of an item, in order. */
  records(item: Item): readonly number[] | Promise<readonly number[]>;
}

/** R1 over random tables, keys, directions, NULLs, page or batch sizes, interruptions, insertions and deletions. */
export function itFollowsAnyKey<Item>(world: KeysetWorld<Item>): void {
  const { source, database, columns = KEY_NAMES } = world;
  itResumesExactly(`${source} on ${database}`, {
    source,
    database,
    cases: caseOf(columns),
    records: (item: Item) => world.records(item),
    async begin({ rows, key, size, runs }) {
      await world.reset(rows);
      const build = (at: At) => world.build(at, { key: key.length > 0 ? key : undefined, rows: size });
      return { build, stops: runs.map(({ stop }) => stop), model: new SortedRows(world, { rows, key, runs }) };
    },
  });
}

const NAMES = [
  '',
  ' ',
  'a',
  'A',
  'aa',
  'ab',
  'b',
  'B',
  '_',
  '%',
  "'",
  '"',
  '\\',
  '$1',
  ':a',
  '0',
  '10',
  '9',
  'é',
  'z',
  'ß',
  '日',
  '😀',
  '[]',
  'null',
];

const at = (us: number) => `2026-01-01 00:00:00.${String(us).padStart(6, '0')}`;

const VALUES: { readonly [Name in KeyName]: fc.Arbitrary<KeyRow[Name]> } = {
  id: fc.integer({ min: -3, max: 60 }),
  rank: fc.integer({ min: 0, max: 3 }),
  maybe: fc.option(fc.integer({ min: -1, max: 2 }), { freq: 2 }),
  name: fc.constantFrom(...NAMES),
  note: fc.option(fc.constantFrom(...NAMES), { freq: 2 }),
  at: fc.integer({ min: 0, max: 2_500 }).map(at),
  seen: fc.option(fc.integer({ min: 998, max: 1_003 }).map(at), { freq: 2 }),
  big: fc.integer({ min: -5, max: 5 }).map((n) => String(9_007_199_254_740_993n + BigInt(n))),
  price: fc.integer({ min: -3, max: 3 }).map((n) => `${n < 0 ? '-' : ''}1.0000000000000000000${Math.abs(n)}`),
};

export const KEY_NAMES = Object.keys(VALUES) as readonly KeyName[];

const NULLABLE: readonly KeyName[] = ['maybe', 'note', 'seen'];

export interface Run {
  readonly stop: number;
  readonly inserted: readonly KeyRow[];
  readonly removed: readonly number[];
}

export interface KeyCase {
  readonly rows: readonly KeyRow[];
  readonly key: readonly KeyColumn[];
  readonly size: number;
  readonly runs: readonly Run[];
}

export function caseOf(columns: readonly KeyName[]): fc.Arbitrary<KeyCase> {
  const row = fc.record(VALUES);
  const rows = (maxLength: number) => fc.uniqueArray(row, { maxLength, selector: ({ id }) => id });
  const part = (column: KeyName) =>
    fc.record({
      column: fc.constant(column),
      order: fc.constantFrom('asc' as const, 'desc' as const),
      ...(NULLABLE.includes(column) && { nulls: fc.constantFrom('first' as const, 'last' as const) }),
    });
  const run = fc.record({
    stop: fc.integer({ min: 0, max: 6 }),
    inserted: rows(3),
    removed: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 3 }),
  });
  return fc.record({
    rows: rows(24),
    key: fc.shuffledSubarray([...columns], { maxLength: 3 }).chain((names) => fc.tuple(...names.map(part))),
    size: fc.constantFrom(1, 2, 3, 5, 8, 1_000),
    runs: fc.array(run, { maxLength: 5 }),
  });
}

/** The model: a sorted array of rows, and the position up to which they are finished. */
class SortedRows implements Model {
  #rows: KeyRow[];
  #position: KeyRow | undefined;
  readonly #compare: (one: KeyRow, other: KeyRow) => number;

  constructor(
    private readonly world: Pick<KeysetWorld<unknown>, 'insert' | 'remove'>,
    private readonly generated: Omit<KeyCase, 'size'>,
  ) {
    this.#compare = comparison(generated.key);
    this.#rows = [...generated.rows].sort(this.#compare);
  }

  rest(): readonly number[] {
    return this.#unfinished().map(({ id }) => id);
  }

  finish(records: number): void {
    this.#position = this.#unfinished()[records - 1] ?? this.#position;
  }

  async change(run: number): Promise<void> {
    const { inserted = [], removed = [] } = this.generated.runs[run] ?? {};
    const gone = removed.flatMap((index) => this.#rows[index] ?? []);
    const fresh = inserted.filter(({ id }) => !this.#rows.some((row) => row.id === id));
    if (gone.length > 0) await this.world.remove(gone.map(({ id }) => id));
    if (fresh.length > 0) await this.world.insert(fresh);
    this.#rows = [...this.#rows.filter((row) => !gone.includes(row)), ...fresh].sort(this.#compare);
  }

  #unfinished(): readonly KeyRow[] {
    const position = this.#position;
    return position ? this.#rows.filter((row) => this.#compare(row, position) > 0) : this.#rows;
  }
}

/** The order of a key, which the id makes unique in the last column's direction. */
export function comparison(key: readonly KeyColumn[]): (one: KeyRow, other: KeyRow) => number {
  const unique = key.some(({ column }) => column === 'id');
  const parts = unique ? key : [...key, { column: 'id', order: key.at(-1)?.order ?? ('asc' as const) }];
  return (one, other) => {
    for (const { column, order, nulls } of parts as readonly KeyColumn[]) {
      const [left, right] = [one[column as KeyName], other[column as KeyName]];
      if (left === right) continue;
      if (left === null || right === null) return (left === null) === (nulls === 'first') ? -1 : 1;
      const compared = compare(column as KeyName, left, right);
      if (compared !== 0) return order === 'asc' ? compared : -compared;
    }
    return 0;
  };
}

function compare(column: KeyName, left: string | number, right: string | number): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (column === 'big') return Number(BigInt(left) - BigInt(right));
  if (column === 'price') return Number(digits(left) - digits(right));
  return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
}

function digits(price: string | number): bigint {
  return BigInt(String(price).replace('.', ''));
}
