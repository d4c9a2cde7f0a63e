import { Column, DataSource, type DataSourceOptions, Entity, PrimaryColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceOf } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { createDatabase, createMariaDatabase, type TestDatabase, type TestMariaDatabase } from '../support/database.js';
import { Lateness } from '../support/lateness.js';

@Entity('entry')
class Entry {
  @PrimaryColumn()
  id!: number;

  @Column()
  kind!: number;
}

const ROWS = 5_000;
/** More than the two seconds that a count may take. */
const BOUND_MS = 4_000;

const typeorm = new TypeOrmEnumeratorBuilder();

describe('the size of typeorm.records on PostgreSQL', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createDatabase();
    dataSource = await connect({ type: 'postgres', url: database.url, poolSize: 1 });
    await database.query(`INSERT INTO entry SELECT n, n % 5 FROM generate_series(1, ${ROWS}) n`);
    await database.query('VACUUM ANALYZE entry');
  });

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  it('the size is the number of rows that match the where', async () => {
    expect(await sizeOf(dataSource, '1 = 1')).toBe(ROWS);
    expect(await sizeOf(dataSource, 'e.kind = 1')).toBe(ROWS / 5);
  });

  it('the size is an estimate if counting takes over two seconds, and no setting stays changed', async () => {
    await dataSource.query("SET statement_timeout = '77s'");
    const lateness = new Lateness();
    expect(await sizeOf(dataSource, "e.kind = 1 AND pg_sleep(0.1)::text = ''")).toBeGreaterThan(0);
    lateness.expectWithin(BOUND_MS, 'that the count is given up');
    expect(await dataSource.query('SHOW statement_timeout')).toEqual([{ statement_timeout: '77s' }]);
    expect(await dataSource.query('SELECT now() = statement_timestamp() AS "isAlone"')).toEqual([{ isAlone: true }]);
  });

  it('an exact size is unknown, not an estimate, if counting takes over two seconds', async () => {
    const slow = dataSource.getRepository(Entry).createQueryBuilder('e').where("pg_sleep(0.1)::text = ''");
    const sources = [
      sourceOf(typeorm.records(slow, { cursor: null })).source,
      sourceOf(typeorm.batches(slow, { cursor: null })).source,
      sourceOf(typeorm.queries(slow, { cursor: null })).source,
    ];
    for (const source of sources) expect(await source.size?.({ exact: true })).toBeUndefined();
    const whole = sourceOf(typeorm.records(dataSource.getRepository(Entry), { cursor: null })).source;
    expect(await whole.size?.({ exact: true })).toBe(ROWS);
  });

  it("the size is an estimate within the user's transaction, which stays intact", async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query('INSERT INTO entry VALUES (0, 9)');
      const query = dataSource.getRepository(Entry).createQueryBuilder('e', runner);
      const size = await typeorm.records(query, { cursor: null }).size?.();
      expect(size).toBeGreaterThan(ROWS * 0.9);
      expect(size).toBeLessThan(ROWS * 1.1);
      expect(await runner.query('SELECT kind FROM entry WHERE id = 0')).toEqual([{ kind: 9 }]);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });

  it('size() rejects if the query fails', async () => {
    await expect(sizeOf(dataSource, 'e.nothing = 1')).rejects.toThrow('nothing');
    expect(await sizeOf(dataSource, '1 = 1')).toBe(ROWS);
  });
});

describe.skipIf(!process.env.MARIADB_URL)('the size of typeorm.records on MariaDB', () => {
  let database: TestMariaDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createMariaDatabase();
    dataSource = await connect({ type: 'mariadb', url: database.url, poolSize: 1 });
    await database.query(`INSERT INTO entry SELECT seq, seq % 5 FROM seq_1_to_${ROWS}`);
    await database.query('ANALYZE TABLE entry');
  });

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  it('the size is the number of rows that match the where', async () => {
    expect(await sizeOf(dataSource, '1 = 1')).toBe(ROWS);
    expect(await sizeOf(dataSource, 'e.kind = 1')).toBe(ROWS / 5);
  });

  it('the size is an estimate if counting takes over two seconds, even within a transaction', async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query('INSERT INTO entry VALUES (0, 9)');
      const query = dataSource.getRepository(Entry).createQueryBuilder('e', runner).where('SLEEP(0.1) = 0');
      const lateness = new Lateness();
      const size = await typeorm.records(query, { cursor: null }).size?.();
      lateness.expectWithin(BOUND_MS, 'that the count is given up');
      expect(size).toBeGreaterThan(ROWS / 2);
      expect(size).toBeLessThan(ROWS * 2);
      expect(await runner.query('SELECT kind FROM entry WHERE id = 0')).toEqual([{ kind: 9 }]);
      expect(Number((await runner.query('SELECT @@max_statement_time AS time'))[0].time)).toBe(0);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });
});

async function connect(options: DataSourceOptions): Promise<DataSource> {
  return new DataSource({ ...options, entities: [Entry], synchronize: true } as DataSourceOptions).initialize();
}

async function sizeOf(dataSource: DataSource, where: string): Promise<number | undefined> {
  const query = dataSource.getRepository(Entry).createQueryBuilder('e').where(where);
  return typeorm.records(query, { cursor: null }).size?.();
}
