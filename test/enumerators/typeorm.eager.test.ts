import { DataSource, type DataSourceOptions, EntitySchema } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { DRIVERS } from '../support/typeorm-drivers.js';

interface Owner {
  id: number;
  pets: Pet[];
}

interface Pet {
  id: number;
  owner: Owner;
}

const OWNER = new EntitySchema<Owner>({
  name: 'Owner',
  columns: { id: { type: 'int', primary: true } },
  relations: { pets: { type: 'one-to-many', target: 'Pet', inverseSide: 'owner', eager: true } },
});
const PET = new EntitySchema<Pet>({
  name: 'Pet',
  columns: { id: { type: 'int', primary: true } },
  relations: { owner: { type: 'many-to-one', target: 'Owner', inverseSide: 'pets' } },
});

describe.each(Object.entries(DRIVERS))('typeorm.records of a Repository with eager relations: %s', (_, driver) => {
  const typeorm = new TypeOrmEnumeratorBuilder();
  let dataSource: DataSource;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const opened = await driver.open();
    drop = opened.drop;
    const entities = { entities: [OWNER, PET], synchronize: true };
    dataSource = await new DataSource({ ...opened.options, ...entities } as DataSourceOptions).initialize();
    await dataSource.getRepository(OWNER).insert([1, 2, 3, 4, 5].map((id) => ({ id })));
    await dataSource.getRepository(PET).insert([1, 2, 3, 4, 5].map((id) => ({ id, owner: { id: 1 + (id % 3) } })));
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await drop?.();
  });

  it('typeorm.records yields the same entities as find()', async () => {
    const owners = dataSource.getRepository(OWNER);
    const found = await owners.find({ order: { id: 'ASC', pets: { id: 'ASC' } } });
    expect(found.map(({ pets }) => pets.length)).toEqual([1, 2, 2, 0, 0]);
    const read: Owner[] = [];
    for await (const [owner] of typeorm.records(owners, { cursor: null, pageSize: 2 })) {
      read.push({ ...owner, pets: [...owner.pets].sort((one, other) => one.id - other.id) });
    }
    expect(read).toEqual(found);
  });

  it('typeorm.queries yields batches without joins of the relations', async () => {
    for await (const [batch] of typeorm.queries(dataSource.getRepository(OWNER), { cursor: null, batchSize: 2 })) {
      expect(batch.getQuery()).not.toContain('JOIN');
    }
  });
});
