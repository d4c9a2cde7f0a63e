import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type At, type Enumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import {
  InvalidCursorError,
  InvalidEnumeratorError,
  InvalidOptionsError,
  SourceChangedError,
} from '../../lib/iteration.errors.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { until } from '../support/until.js';

const build = new EnumeratorBuilder();
const csv = (name: string, rows = 3) =>
  Buffer.from(`n\n${Array.from({ length: rows }, (_, row) => `${name}${row + 1}\n`).join('')}`);

describe('nested', () => {
  itKeepsTheEnumeratorContract('two levels, some outer items empty', {
    size: 'none',
    build: (at) =>
      build.nested(
        [(at: At) => build.times(6, at), (n: number, at: At) => (n === 4 ? null : build.array(letters(n), at))],
        at,
      ),
    expected: [1, 2, 3, 5].flatMap(letters),
  });

  itKeepsTheEnumeratorContract('four levels of mixed sources', {
    size: 'none',
    build: (at) =>
      build.nested<string>(
        [
          (at: At) => build.csv.rows(csv('file'), at),
          ({ n }: { n: string }, at: At) => build.take(build.times(5, at), n === 'file2' ? 0 : 2),
          ({ n }: { n: string }, year: number, at: At) =>
            build.pages({
              ...at,
              fetch: async (token: number | null) => ({
                items: [`${n} ${year} ${token ?? 0}`],
                next: token ? null : 1,
              }),
            }),
          (_row: object, _year: number, page: string, at: At) => (at.cursor === null ? new Map([[page, 0]]) : null),
        ],
        at,
      ),
    expected: ['file1', 'file3'].flatMap((file) =>
      [0, 1].flatMap((year) => [0, 1].map((page) => `${file} ${year} ${page}`)),
    ),
  });

  itKeepsTheEnumeratorContract('nested as the outer level of nested', {
    size: 'none',
    build: (at) =>
      build.nested(
        [
          (at: At) =>
            build.nested([(at: At) => build.times(3, at), (n: number, at: At) => build.array(letters(n), at)], at),
          (letter: string, at: At) => build.array([`${letter}1`, `${letter}2`], at),
        ],
        at,
      ),
    expected: [0, 1, 2].flatMap(letters).flatMap((letter) => [`${letter}1`, `${letter}2`]),
  });

  itKeepsTheEnumeratorContract('no items', {
    size: 'none',
    isEmpty: true,
    build: (at) => build.nested([(at: At) => build.times(0, at), (_: number, at: At) => build.times(3, at)], at),
    expected: [],
  });

  itKeepsTheEnumeratorContract('batches within outer items', {
    size: 'none',
    build: (at) =>
      build.nested(
        [
          (at: At) => build.array([csv('a', 7), csv('b', 5)], at),
          (file: Buffer, { cursor }: At) => build.csv.batches<{ n: string }>(file, { cursor, batchSize: 5 }),
        ],
        at,
      ),
    identify: (rows: { n: string }[]) => rows.map(({ n }) => n).join(),
    records: (rows) => rows.map(({ n }) => n),
    expected: ['a1,a2,a3,a4,a5', 'a6,a7', 'b1,b2,b3,b4,b5'],
  });

  it('a nested cursor holds the cursor of each level, bound to its outer item', async () => {
    const enumerator = build.nested(
      [(at: At) => build.array(['x', 'y', 'z'], at), (_: string, at: At) => build.array(['a', 'b'], at)],
      { cursor: null },
    );
    const cursors: Cursor[] = [];
    for await (const [, cursor] of enumerator) cursors.push(cursor);
    const [X, Y] = ['ui30kDosFOhtw7zK', 'K8mDpZQidusAp14h'];
    expect(cursors.slice(1, 3)).toEqual([
      { outer: { after: null, at: 0, finished: 0, item: X }, inner: { at: 1, finished: 2 } },
      { outer: { after: 0, at: 1, finished: 1, item: Y }, inner: { at: 0, finished: 1 } },
    ]);
  });

  it('nested closes each level once, even if a run ends early', async () => {
    const story: string[] = [];
    function* level(name: string, { cursor }: At): Generator<readonly [number, number]> {
      try {
        for (let n = ((cursor as number | null) ?? -1) + 1; n < 2; n++) yield [n, n];
      } finally {
        story.push(name);
      }
    }
    const levels = [(at: At) => level('outer', at), (n: number, at: At) => level(`inner ${n}`, at)] as const;
    for await (const _ of build.nested(levels, { cursor: null }));
    expect(story.splice(0)).toEqual(['inner 0', 'inner 1', 'outer']);
    for await (const _ of build.nested(levels, { cursor: null })) break;
    expect(story.splice(0)).toEqual(['inner 0', 'outer']);
  });

  it('nested reads ahead across outer items, but not if a level is a generator', async () => {
    const built: number[] = [];
    const inner = (n: number, at: At) => {
      built.push(n);
      return build.keyset({ ...at, key: (id: number) => id, fetch: async (after) => (after === null ? [n] : []) });
    };
    const keyset = (at: At) =>
      build.keyset({ ...at, key: (id: number) => id, fetch: async (after) => (after === null ? [1, 2, 3] : []) });
    const ahead = sourceOf(build.nested([keyset, inner], { cursor: null })).read();
    await ahead.next();
    await until('the second shop is read', () => built.length === 2);
    await ahead.close();
    built.length = 0;
    function* generator(): Generator<readonly [number, number]> {
      yield [1, 1];
      yield [2, 2];
    }
    const step = sourceOf(build.nested([generator, inner], { cursor: null })).read();
    await step.next();
    await step.close();
    expect(built).toEqual([1]);
  });

  it.each<[string, unknown, string]>([
    ['no levels', [], 'nested: give it an array of two levels or more'],
    ['one level', [(at: At) => build.times(1, at)], 'an array of two levels or more'],
    ['an enumerator for a level', [build.times(1, { cursor: null }), () => null], 'each a function of the outer items'],
    ['a function instead of levels', () => null, 'nested: give it an array'],
  ])('nested refuses %s at once', (_, levels, message) => {
    expect(() => build.nested(levels as never, { cursor: null })).toThrow(InvalidOptionsError);
    expect(() => build.nested(levels as never, { cursor: null })).toThrow(message);
  });

  it.each<[Cursor]>([
    [5],
    [[1, 2]],
    [{ outer: 1, inner: 2 }],
    [{ outer: { after: null, at: 1 }, inner: { at: 1, finished: 1 } }],
  ])('nested refuses the cursor %j at once', (cursor) => {
    const nested = () =>
      build.nested([(at: At) => build.times(1, at), (_: number, at: At) => build.times(1, at)], { cursor });
    expect(nested).toThrow(InvalidCursorError);
    expect(nested).toThrow('is not one of nested');
  });

  it('the error for a level that returns undefined names the level', async () => {
    const forgotten = build.nested([(at: At) => build.times(1, at), (() => undefined) as never], { cursor: null });
    await expect(all(forgotten)).rejects.toThrow(InvalidEnumeratorError);
    await expect(all(forgotten)).rejects.toThrow('nested: level 2 returned undefined');
  });

  it('R9: nested refuses an outer level without cursors', async () => {
    const queue = ['a', 'b'];
    const polled = build.nested(
      [() => build.poll(async () => queue.shift()), (_: string, at: At) => build.times(2, at)],
      {
        cursor: null,
      },
    );
    await expect(all(polled)).rejects.toThrow('an outer level gave an item without a cursor, as poll does');
  });
});

describe('R9: nested over two tables', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await database.query('CREATE TABLE shop (id int PRIMARY KEY)');
    await database.query('CREATE TABLE product (shop int, id int, PRIMARY KEY (shop, id))');
  });
  afterAll(() => database.drop());

  beforeEach(async () => {
    await database.query('TRUNCATE shop, product');
    await database.query('INSERT INTO shop SELECT n * 10 FROM generate_series(1, 4) n');
    await database.query('INSERT INTO product SELECT s * 10, p FROM generate_series(1, 4) s, generate_series(1, 4) p');
  });

  const rows = (sql: string, parameters: readonly unknown[], { cursor }: At) =>
    build.keyset({
      cursor,
      pageSize: 2,
      key: ({ id }: { id: number }) => id,
      fetch: (after, limit) => database.query<{ id: number }>(sql, [after ?? 0, limit, ...parameters]),
    });
  const products = (cursor: Cursor) =>
    build.nested(
      [
        (at: At) => rows('SELECT id FROM shop WHERE id > $1 ORDER BY id LIMIT $2', [], at),
        (shop: { id: number }, at: At) =>
          named(
            shop.id,
            rows('SELECT id FROM product WHERE id > $1 AND shop = $3 ORDER BY id LIMIT $2', [shop.id], at),
          ),
      ],
      { cursor },
    );
  async function* named(
    shop: number,
    enumerator: Enumerator<{ id: number }>,
  ): AsyncGenerator<readonly [string, Cursor]> {
    for await (const [{ id }, cursor] of enumerator) yield [`${shop}/${id}`, cursor];
  }

  /** The cursor of a run that was interrupted after the second product of shop 20. */
  async function interrupted(): Promise<Cursor> {
    for await (const [name, cursor] of products(null)) if (name === '20/2') return throughJson(cursor);
    throw new Error('it is not there');
  }

  const from = async (cursor: Cursor) => (await all(products(cursor))).join(' ');

  it('a run resumes within the outer row', async () => {
    expect(await from(await interrupted())).toBe('20/3 20/4 30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });

  it('a run resumes at the next outer row if its own was deleted', async () => {
    const cursor = await interrupted();
    await database.query('DELETE FROM shop WHERE id = 20');
    expect(await from(cursor)).toBe('30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });

  it('a run resumes at the next outer row if its own and the one before were deleted', async () => {
    const cursor = await interrupted();
    await database.query('DELETE FROM shop WHERE id <= 20');
    expect(await from(cursor)).toBe('30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });

  it('a run resumes at the next outer row if its own was emptied, and reads new inner rows', async () => {
    const cursor = await interrupted();
    await database.query('DELETE FROM product WHERE shop = 20');
    expect(await from(cursor)).toBe('30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
    await database.query('INSERT INTO product VALUES (20, 1), (20, 9)');
    expect(await from(cursor)).toBe('20/9 30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });

  it('a run resumes within its outer row, and skips outer rows that were inserted before it', async () => {
    const cursor = await interrupted();
    await database.query('INSERT INTO shop VALUES (5), (15), (19)');
    await database.query('INSERT INTO product VALUES (5, 1), (15, 1), (15, 3), (19, 1), (19, 3), (19, 9)');
    expect(await from(cursor)).toBe('20/3 20/4 30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });

  it('nested detects a deleted outer row with a constant number of queries', async () => {
    await database.query('INSERT INTO shop SELECT n FROM generate_series(1000, 3000) n');
    const cursor = await interrupted();
    await database.query('DELETE FROM shop WHERE id = 20');
    let queries = 0;
    const query = database.query.bind(database);
    const counted = (sql: string, values?: unknown[]) => {
      queries++;
      return query(sql, values);
    };
    const first = build.nested(
      [
        ({ cursor }: At) =>
          build.keyset({
            cursor,
            pageSize: 2,
            key: ({ id }: { id: number }) => id,
            fetch: (after, limit) =>
              counted('SELECT id FROM shop WHERE id > $1 ORDER BY id LIMIT $2', [after ?? 0, limit]) as Promise<
                { id: number }[]
              >,
          }),
        ({ id }: { id: number }, at: At) => build.array([id], at),
      ],
      { cursor },
    );
    for await (const [shop] of first) {
      expect(shop).toBe(30);
      break;
    }
    expect(queries).toBeLessThanOrEqual(3);
  });

  it('nested does not confuse an inserted outer row with the deleted one', async () => {
    const cursor = await interrupted();
    await database.query('DELETE FROM shop WHERE id = 20');
    await database.query('INSERT INTO shop VALUES (19), (21)');
    await database.query('INSERT INTO product VALUES (19, 3), (21, 1), (21, 3)');
    expect(await from(cursor)).toBe('21/1 21/3 30/1 30/2 30/3 30/4 40/1 40/2 40/3 40/4');
  });
});

describe('R9: nested over a list that changes between two runs', () => {
  type Outer =
    | string
    | { readonly id: number; readonly seen?: number }
    | readonly [string, number]
    | Map<string, number>;
  const lists = {
    array: (items: readonly Outer[], at: At) => build.array(items, at),
    'array within take': (items: readonly Outer[], at: At) => build.take(build.array(items, at), 9),
    'array within throttle': (items: readonly Outer[], at: At) =>
      build.throttle(build.array(items, at), { when: () => false, retryInMs: 1 }),
    pages: (items: readonly Outer[], { cursor }: At) =>
      build.pages<Outer, never>({ cursor, fetch: async () => ({ items, next: null }) }),
    'nested within nested': (items: readonly Outer[], at: At) =>
      build.nested([(at: At) => build.array(['root'], at), (_: string, at: At) => build.array(items, at)], at),
  };
  type List = keyof typeof lists;
  const nested = (list: List, items: readonly Outer[], cursor: Cursor) =>
    build.nested(
      [
        (at: At) => lists[list](items, at),
        (item: Outer, at: At) =>
          build.array(
            [1, 2, 3].map((n) => [item, n]),
            at,
          ),
      ],
      { cursor },
    );
  /** The cursor of a run that was interrupted after `count` items. */
  async function cursorAfter(list: List, items: readonly Outer[], count: number): Promise<Cursor> {
    let left = count;
    for await (const [, cursor] of nested(list, items, null)) if (--left === 0) return throughJson(cursor);
    throw new Error('there are too few');
  }

  describe.each(Object.keys(lists) as List[])('%s', (list) => {
    it.each<[string, readonly Outer[], number, readonly Outer[]]>([
      ['a finished item was removed', ['a', 'b', 'c'], 4, ['b', 'c']],
      ['a finished item was removed, between two items', ['a', 'b', 'c'], 3, ['b', 'c']],
      ['all items before the current one were removed', ['a', 'b', 'c'], 8, ['c']],
      ['an item was inserted before the current one', ['a', 'b', 'c'], 5, ['0', 'a', 'b', 'c']],
      ['the current item was replaced', [{ id: 1 }, { id: 2 }], 5, [{ id: 1 }, { id: 3 }]],
    ])('nested refuses to resume if %s', async (_, items, count, changed) => {
      const reading = all(nested(list, changed, await cursorAfter(list, items, count)));
      await expect(reading).rejects.toThrow(SourceChangedError);
      await expect(reading).rejects.toThrow('the list of an outer level was changed since the checkpoint');
    });

    it('nested resumes if items were appended, or other fields of an item with an id changed', async () => {
      const cursor = await cursorAfter(list, [{ id: 1 }, { id: 2, seen: 0 }], 4);
      const rest = await all(nested(list, [{ id: 1 }, { id: 2, seen: 9 }, { id: 3 }], cursor));
      expect(rest.map(([item, n]) => `${(item as { id: number }).id}.${n}`)).toEqual([
        '2.2',
        '2.3',
        '3.1',
        '3.2',
        '3.3',
      ]);
    });
  });

  it('nested accepts a cursor of an earlier release, which has no fingerprint', async () => {
    const cursor = { outer: { after: 0, at: 1, finished: 1 }, inner: { at: 0, finished: 1 } };
    expect(await all(nested('array', ['a', 'b'], cursor))).toEqual([
      ['b', 2],
      ['b', 3],
    ]);
  });

  it('nested accepts outer items that JSON cannot hold, which have no fingerprint', async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const items = [cyclic, cyclic] as never[];
    expect((await all(nested('array', items, await cursorAfter('array', items, 4)))).length).toBe(2);
  });
});

describe('R9: nested over a CSV that is appended to', () => {
  const rows = [1, 2, 3];
  const levels = (file: () => Buffer) =>
    ({
      'as the outer level': (cursor: Cursor) =>
        build.nested(
          [
            (at: At) => build.csv.rows<{ n: string }>(file(), at),
            ({ n }: { n: string }, at: At) => build.array([`${n}a`, `${n}b`], at),
          ],
          { cursor },
        ),
      'as the outer level of an outer level': (cursor: Cursor) =>
        build.nested(
          [
            (at: At) =>
              build.nested(
                [
                  (at: At) => build.csv.rows<{ n: string }>(file(), at),
                  (row: { n: string }, at: At) => build.array([row], at),
                ],
                at,
              ),
            ({ n }: { n: string }, at: At) => build.array([`${n}a`, `${n}b`], at),
          ],
          { cursor },
        ),
      'as the inner level of an outer level': (cursor: Cursor) =>
        build.nested(
          [
            (at: At) =>
              build.nested(
                [
                  (at: At) => build.array(['file'], at),
                  (_: string, at: At) => build.csv.rows<{ n: string }>(file(), at),
                ],
                at,
              ),
            ({ n }: { n: string }, at: At) => build.array([`${n}a`, `${n}b`], at),
          ],
          { cursor },
        ),
      'in batches': (cursor: Cursor) =>
        build.nested(
          [
            ({ cursor }: At) => build.csv.batches<{ n: string }>(file(), { cursor, batchSize: 1 }),
            ([row]: { n: string }[], at: At) => build.array([`${row?.n}a`, `${row?.n}b`], at),
          ],
          { cursor },
        ),
    }) satisfies Record<string, (cursor: Cursor) => Enumerator<string>>;

  it.each(Object.keys(levels(() => Buffer.alloc(0))) as (keyof ReturnType<typeof levels>)[])(
    'a CSV that grows, %s, resumes within its record',
    async (name) => {
      let file = Buffer.from(`n\n${rows.join('\n')}\n`);
      const source = levels(() => file)[name];
      const expected = [1, 2, 3, 4].flatMap((n) => [`${n}a`, `${n}b`]);
      for (let position = 1; position <= 6; position++) {
        file = Buffer.from(`n\n${rows.join('\n')}\n`);
        const pairs: (readonly [string, Cursor])[] = [];
        for await (const pair of source(null)) pairs.push(pair);
        file = Buffer.concat([file, Buffer.from('4\n')]);
        expect(await all(source(throughJson((pairs[position - 1] as readonly [string, Cursor])[1])))).toEqual(
          expected.slice(position),
        );
      }
    },
  );
});

function letters(count: number): readonly string[] {
  return [...'abcdefgh'].slice(0, count).map((letter) => `${letter}${count}`);
}

function throughJson(cursor: Cursor): Cursor {
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}

async function all<Item>(enumerator: Enumerator<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const [item] of enumerator) items.push(item);
  return items;
}
