import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidOptionsError } from '../../lib/iteration.errors.js';

@Entity('far')
class Far {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;

  @Column({ type: 'int', nullable: true })
  rank!: number | null;
}

describe('a database whose catalogue the library cannot read', () => {
  const builder = new TypeOrmEnumeratorBuilder();
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = new DataSource({ type: 'better-sqlite3', database: ':memory:', entities: [Far], synchronize: true });
    await dataSource.initialize();
    await dataSource.getRepository(Far).insert([3, 1, 2].map((id) => ({ id, name: `n${id}`, rank: null })));
    // A real one, by a name of TypeORM that the library does not know.
    Object.assign(dataSource.driver, { options: { ...dataSource.options, type: 'cockroachdb' } });
  });
  afterAll(() => dataSource.destroy());

  const records = (key?: Parameters<typeof builder.records>[1]['key']) =>
    builder.records(dataSource.getRepository(Far), { key, cursor: null });

  it('R1: typeorm.records follows a key of integers', async () => {
    const ids: number[] = [];
    for await (const [{ id }] of records()) ids.push(id);
    expect(ids).toEqual([1, 2, 3]);
  });

  it.each([
    ['name', '"name" (varchar in the entity) cannot be paged exactly on cockroachdb, whose catalogue is not read'],
    [[{ column: 'rank', order: 'asc', nulls: 'last' }], 'the position of NULLs on cockroachdb is not known'],
  ] as const)('typeorm.records refuses any other key: %j', async (key, message) => {
    const reading = (async () => {
      for await (const _ of records(key as never)) break;
    })();
    await expect(reading).rejects.toThrow(InvalidOptionsError);
    await expect(reading).rejects.toThrow(message);
  });
});
