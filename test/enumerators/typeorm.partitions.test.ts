import { Column, DataSource, Entity, type Logger, PrimaryColumn, type Repository } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor, Json } from '../../lib/cursor.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidCursorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { allOf, partsOf } from '../support/part-properties.js';

@Entity('large')
class Large {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('bigint')
  big!: string;

  @Column({ type: 'text', collation: 'C' })
  word!: string;

  @Column('timestamp', { nullable: true, precision: 6 })
  seen!: Date | null;

  @Column('int')
  kind!: number;
}

@Entity('small')
class Small {
  @PrimaryColumn()
  id!: number;

  @Column('text', { default: 'x' })
  word!: string;
}

const ROWS = 250_000;
/** Wide enough that the table has more than 16 MB. */
const FILL = `INSERT INTO large SELECT gen_random_uuid(), 9007199254740993 + n * 3, 'word ' || md5(n::text), CASE WHEN n % 5 > 0
  THEN timestamp '2026-01-01' + n * interval '1 microsecond' END, n % 1000 FROM generate_series(1, ${ROWS}) n`;

class Statements implements Logger {
  readonly all: string[] = [];
  logQuery(sql: string): void {
    this.all.push(sql);
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

const typeorm = new TypeOrmEnumeratorBuilder();

describe('typeorm.partitions on PostgreSQL', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let large: Repository<Large>;
  let small: Repository<Small>;
  const statements = new Statements();

  beforeAll(async () => {
    database = await createDatabase();
    const entities = [Large, Small];
    const options = { type: 'postgres', url: database.url, poolSize: 2, entities, synchronize: true } as const;
    dataSource = await new DataSource({ ...options, logging: true, logger: statements }).initialize();
    large = dataSource.getRepository(Large);
    small = dataSource.getRepository(Small);
    await database.query(FILL);
    await database.query('VACUUM ANALYZE large');
  }, 60_000);

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const sizesOf = (ranges: readonly Json[], key?: Parameters<typeof typeorm.records>[1]['key']) =>
    Promise.all(ranges.map((range) => typeorm.records(large, { cursor: null, range, key }).size?.()));

  it.each([
    ['uuid', undefined],
    ['bigint', 'big'],
    ['text', { column: 'word', order: 'desc' }],
    ['composite', ['kind', { column: 'word', order: 'asc' }]],
    ['timestamp with NULLs', { column: 'seen', order: 'asc', nulls: 'first' }],
  ] as const)('R27: a large table is cut by a sample of its %s key, without counting it', async (_, given) => {
    const key = (given === undefined || typeof given === 'string' ? given : [given].flat()) as 'big';
    statements.all.length = 0;
    const ranges = partsOf(await typeorm.partitions(large, { count: 8, key }));
    expect(statements.all.filter((sql) => /count\(/i.test(sql))).toEqual([]);
    expect(statements.all.filter((sql) => sql.includes('TABLESAMPLE'))).toHaveLength(1);
    expect(ranges).toHaveLength(8);
    const sizes = (await sizesOf(ranges, key)) as number[];
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ROWS);
    expect(Math.min(...sizes)).toBeGreaterThan((ROWS / 8) * 0.7);
    expect(Math.max(...sizes)).toBeLessThan((ROWS / 8) * 1.3);
  });

  it('R27: the where of a query is cut, not the whole table', async () => {
    const query = large.createQueryBuilder('l').where('l.big > :big', { big: 9_007_199_254_740_993n + 150_000n * 3n });
    const ranges = await typeorm.partitions(query, { count: 4, key: 'big' });
    const sizes = ranges.map((range) => typeorm.records(query, { cursor: null, range, key: 'big' }).size?.());
    for (const size of await Promise.all(sizes)) expect(size).toBeGreaterThan(25_000 * 0.6);
  });

  it('R27: few rows of a large table are cut exactly', async () => {
    const query = large.createQueryBuilder('l').where('l.kind = 7');
    const ranges = await typeorm.partitions(query, { count: 5 });
    const sizes = ranges.map((range) => typeorm.records(query, { cursor: null, range }).size?.());
    expect(await Promise.all(sizes)).toEqual([50, 50, 50, 50, 50]);
  });

  describe('of a small table', () => {
    beforeEach(async () => {
      await small.clear();
      await small.insert(Array.from({ length: 10 }, (_, id) => ({ id })));
    });

    it.each([
      [1, [{ after: null, until: null }]],
      [
        3,
        [
          { after: null, until: 2 },
          { after: 2, until: 5 },
          { after: 5, until: null },
        ],
      ],
    ])('R27: %i parts are equal, and their ends open', async (count, ranges) => {
      expect(await typeorm.partitions(small, { count })).toEqual(ranges);
    });

    it('R27: a table of one row, and an empty one, are one part', async () => {
      await small.delete({ id: 9 });
      await database.query('DELETE FROM small WHERE id > 0');
      expect(await typeorm.partitions(small, { count: 4 })).toEqual([{ after: null, until: null }]);
      await small.clear();
      expect(await typeorm.partitions(small, { count: 4 })).toEqual([{ after: null, until: null }]);
    });

    it('R27: a key of one value is cut by the primary key', async () => {
      const ranges = await typeorm.partitions(small, { count: 2, key: 'word' });
      expect(ranges).toEqual([
        { after: null, until: ['x', 4] },
        { after: ['x', 4], until: null },
      ]);
    });

    it('R27: rows added at both ends belong to the first and the last part', async () => {
      const ranges = await typeorm.partitions(small, { count: 2 });
      await small.insert([{ id: -5 }, { id: 50 }]);
      const read = ranges.map(async (range) => (await allOf(typeorm.records(small, { cursor: null, range }))).length);
      expect(await Promise.all(read)).toEqual([6, 6]);
    });

    const MIDDLE = { after: 2, until: 6 };
    itKeepsTheEnumeratorContract('a part of typeorm.records', {
      size: 'exact',
      build: (at) => typeorm.records(small, { ...at, range: MIDDLE, pageSize: 2 }),
      identify: ({ id }) => id,
      expected: [3, 4, 5, 6],
    });
    itKeepsTheEnumeratorContract('a part of typeorm.batches', {
      size: 'exact',
      build: (at) => typeorm.batches(small, { ...at, range: MIDDLE, batchSize: 3 }),
      identify: (batch) => String(batch.map(({ id }) => id)),
      records: (batch) => batch.map(({ id }) => id),
      expected: ['3,4,5', '6'],
    });

    it('R24: halves of the first batch of a part begin at the part', async () => {
      const queries = typeorm.queries(small, { cursor: null, range: MIDDLE, batchSize: 4 });
      const [batch, cursor] = (await first(queries)) ?? [];
      const halves = await queries.halve?.(batch as never, null, cursor as Cursor);
      const [left, right] = (halves ?? []).map(([half]) => half.getMany());
      expect([(await left)?.map(({ id }) => id), (await right)?.map(({ id }) => id)]).toEqual([
        [3, 4],
        [5, 6],
      ]);
    });

    it.each(['records', 'batches', 'queries'] as const)(
      'R27: typeorm.%s refuses a cursor outside of its range, and no other',
      async (method) => {
        const read = (cursor: Cursor) =>
          allOf((typeorm[method] as typeof typeorm.records)(small, { cursor, range: MIDDLE }));
        for (const cursor of [-7, 1, 7, 70]) {
          const isBeside = cursor === 70 || cursor === -7;
          if (isBeside) await small.insert({ id: cursor });
          await expect(read(cursor)).rejects.toThrow(InvalidCursorError);
          await expect(read(cursor)).rejects.toThrow(`the cursor ${cursor} is outside of the range, which is after 2`);
        }
        for (const cursor of [3, 5, 6]) await expect(read(cursor)).resolves.toBeDefined();
      },
    );

    it.each<Json>([null, 'a', { after: 1 }, { after: 1, until: [1, 2] }, { after: true, until: null }])(
      'R27: the range %j, which is not a part, is refused',
      (range) => {
        const build = () => typeorm.records(small, { cursor: null, range });
        expect(build).toThrow(InvalidOptionsError);
        expect(build).toThrow('is not a part of this source: { after, until }');
      },
    );

    it.each([{ count: 0 }, { count: 2, parts: 2 }, { count: 2, key: 'nothing' }, {}])(
      'partitions refuses the options %j',
      async (options) => {
        await expect(typeorm.partitions(small, options as { count: number })).rejects.toThrow(InvalidOptionsError);
      },
    );
  });
});

async function first<Item>(
  items: AsyncIterable<readonly [Item, Cursor]>,
): Promise<readonly [Item, Cursor] | undefined> {
  for await (const item of items) return item;
  return undefined;
}
