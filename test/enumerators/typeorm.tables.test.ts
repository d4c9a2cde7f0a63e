import {
  Column,
  DataSource,
  type DataSourceOptions,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
} from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type At, type Enumerator, type KeysetOptions, sourceOf } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidEnumeratorError } from '../../lib/iteration.errors.js';
import { createDatabase, createMariaDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

@Entity('loose')
class Loose {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;

  @OneToMany(
    () => Part,
    (part) => part.whole,
  )
  parts!: Part[];
}

@Entity('part')
class Part {
  @PrimaryColumn()
  id!: number;

  @ManyToOne(
    () => Loose,
    (loose) => loose.parts,
  )
  @JoinColumn({ name: 'whole_id' })
  whole!: Loose;
}

@Entity('loose_view')
class LooseView {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;
}

@Entity('indexed')
class Indexed {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;

  @ManyToOne(() => Part)
  @JoinColumn({ name: 'b_id' })
  part!: Part;
}

@Entity('drifted')
class Drifted {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;
}

@Entity('drifted_view')
class DriftedView {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;
}

@Entity('nameless')
class Nameless {
  @PrimaryColumn()
  id!: number;
}

@Entity('narrow')
class Narrow {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;
}

const TABLES = [
  'CREATE TABLE loose (id int NOT NULL, name varchar(20) NOT NULL)',
  "INSERT INTO loose VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (4, 'e'), (5, 'f'), (6, 'g')",
  'CREATE VIEW loose_view AS SELECT id, name FROM loose',
  'CREATE TABLE indexed (id int NOT NULL, name varchar(20) NOT NULL, b_id int)',
  'CREATE UNIQUE INDEX indexed_id ON indexed (id)',
  "INSERT INTO indexed VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 1)",
  'CREATE TABLE part (id int PRIMARY KEY, whole_id int)',
  'INSERT INTO part VALUES (1, 1), (2, 1), (3, 4)',
  'CREATE TABLE drifted (id int PRIMARY KEY, name varchar(20))',
  "INSERT INTO drifted VALUES (1, 'b'), (2, NULL), (3, 'a'), (4, NULL), (5, 'b')",
  'CREATE VIEW drifted_view AS SELECT id, name FROM drifted',
  'CREATE TABLE nameless (id int)',
  'INSERT INTO nameless VALUES (1), (NULL), (2)',
  'CREATE TABLE narrow (id int PRIMARY KEY)',
];

interface Server {
  readonly options: DataSourceOptions;
  drop(): Promise<void>;
}

const SERVERS: readonly (readonly [name: string, isThere: boolean, start: () => Promise<Server>])[] = [
  [
    'PostgreSQL',
    true,
    async () => {
      const database = await createDatabase();
      return { options: { type: 'postgres', url: database.url }, drop: () => database.drop() };
    },
  ],
  [
    'MariaDB',
    Boolean(process.env.MARIADB_URL),
    async () => {
      const database = await createMariaDatabase();
      return { options: { type: 'mariadb', url: database.url, charset: 'utf8mb4' }, drop: () => database.drop() };
    },
  ],
  ['SQLite', true, async () => ({ options: { type: 'sqljs' }, drop: async () => {} })],
];

for (const [name, isThere, start] of SERVERS) {
  describe.skipIf(!isThere)(`typeorm.records over tables of ${name} that differ from their entities`, () => {
    const typeorm = new TypeOrmEnumeratorBuilder();
    let server: Server;
    let dataSource: DataSource;

    beforeAll(async () => {
      server = await start();
      const entities = [Loose, LooseView, Indexed, Part, Drifted, DriftedView, Nameless, Narrow];
      dataSource = await new DataSource({ ...server.options, entities } as DataSourceOptions).initialize();
      for (const sql of TABLES) await dataSource.query(sql);
    });

    afterAll(async () => {
      await dataSource?.destroy();
      await server?.drop();
    });

    const records = (entity: new () => { id: number }, options: Partial<KeysetOptions> = {}) =>
      typeorm.records(dataSource.getRepository(entity), { cursor: null, ...options });

    it.each([1, 2, 3, 4, 5, 1000])(
      'R1: typeorm.records refuses two rows with the same primary key, in pages of %i',
      async (pageSize) => {
        for (const entity of [Loose, LooseView]) {
          for (const key of [undefined, 'id', [{ column: 'id', order: 'desc' as const }]]) {
            const all = items(records(entity, { pageSize, key }));
            await expect(all).rejects.toThrow(InvalidEnumeratorError);
            await expect(all).rejects.toThrow(`two rows have the same key [4], so TypeORM makes one entity of them`);
          }
        }
      },
    );

    itKeepsTheEnumeratorContract('rows that are unique without a constraint', {
      size: 'exact',
      build: (at: At) =>
        typeorm.records(dataSource.getRepository(LooseView).createQueryBuilder('v').where("v.name <> 'e'"), {
          ...at,
          pageSize: 2,
        }),
      identify: ({ id }) => id,
      expected: [1, 2, 3, 4, 5, 6],
    });

    it('typeorm.records allows joins only of a table with a primary key or a unique index', async () => {
      const loose = dataSource.getRepository(Loose).createQueryBuilder('l').leftJoinAndSelect('l.parts', 'p');
      await expect(items(typeorm.records(loose, { cursor: null }))).rejects.toThrow(
        'nothing in the database keeps the primary key of Loose unique',
      );
      const indexed = dataSource.getRepository(Indexed).createQueryBuilder('i').leftJoinAndSelect('i.part', 'p');
      const found = await items(typeorm.records(indexed, { cursor: null, pageSize: 2 }));
      expect(found.map(({ id, part }) => [id, part.id])).toEqual([
        [1, 1],
        [2, 2],
        [3, 1],
      ]);
    });

    it('R1: typeorm.records refuses a key column that is NOT NULL only in the entity', async () => {
      for (const pageSize of [1, 1000]) {
        const all = items(records(Drifted, { key: 'name', pageSize }));
        await expect(all).rejects.toThrow(InvalidEnumeratorError);
        await expect(all).rejects.toThrow(
          'the key column "name" is NOT NULL in the entity, but not in the table drifted',
        );
      }
      const view = items(records(DriftedView, { key: 'name', pageSize: 1 }));
      await expect(view).rejects.toThrow(
        /the key column "name" (came back as NULL|is NOT NULL in the entity, but not)/,
      );
    });

    it('R1: typeorm.records refuses a NULL in the primary key', async () => {
      for (const pageSize of [1, 1000]) {
        await expect(items(records(Nameless, { pageSize }))).rejects.toThrow('the key column "id" came back as NULL');
      }
    });

    itKeepsTheEnumeratorContract('NOT NULL only in the entity, NULLs first', {
      size: 'exact',
      build: (at: At) =>
        records(DriftedView, { ...at, key: [{ column: 'name', order: 'desc', nulls: 'first' }], pageSize: 2 }),
      identify: ({ id }) => id,
      expected: [4, 2, 5, 1, 3],
    });

    it('typeorm.records refuses a key column that the table does not have', async () => {
      await expect(items(records(Narrow, { key: 'name' }))).rejects.toThrow(
        'the table narrow has no column "name" of the key',
      );
    });

    it('typeorm.records refuses a join in which TypeORM gives two columns the same name', () => {
      const query = dataSource.getRepository(Indexed).createQueryBuilder('a').leftJoinAndSelect('a.part', 'a_b');
      expect(() => typeorm.records(query, { cursor: null })).toThrow(InvalidEnumeratorError);
      expect(() => typeorm.records(query, { cursor: null })).toThrow(
        'the query selects two columns as "a_b_id": a.b_id and a_b.id. Rename an alias of it',
      );
      const named = dataSource.getRepository(Indexed).createQueryBuilder('a').addSelect('1', 'a_id');
      expect(() => typeorm.records(named, { cursor: null })).toThrow('two columns as "a_id": 1 and a.id');
      const twice = dataSource
        .getRepository(Loose)
        .createQueryBuilder('l')
        .leftJoin('l.parts', 'p')
        .leftJoin('l.parts', 'p');
      expect(() => typeorm.records(twice, { cursor: null })).toThrow('the query has two aliases "p"');
    });

    it("typeorm.records keeps the user's selections that have the names of its own", async () => {
      const query = dataSource
        .getRepository(Indexed)
        .createQueryBuilder('i')
        .select('i.name')
        .addSelect("'x'", 'iteration_key_0');
      expect(await cursors(typeorm.records(query, { cursor: null }))).toEqual([1, 2, 3]);
    });

    it('count() is the number of entities up to and including a cursor', async () => {
      const key = [{ column: 'name', order: 'asc' as const, nulls: 'last' as const }];
      const enumerator = records(Drifted, { key });
      const { source } = sourceOf(enumerator);
      const all = await cursors(enumerator);
      expect(all.length).toBe(5);
      expect(await Promise.all(all.map((cursor) => source.count?.(cursor)))).toEqual([1, 2, 3, 4, 5]);
    });

    it('the size of a join is its number of entities', async () => {
      const query = dataSource.getRepository(Loose).createQueryBuilder('l').innerJoin('l.parts', 'p');
      expect(await typeorm.records(query, { cursor: null }).size?.()).toBe(2);
      expect(await typeorm.batches(query, { cursor: null, batchSize: 2 }).size?.()).toBe(1);
    });
  });
}

async function pairs<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const found: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) found.push(pair);
  return found;
}

const items = async <Item>(enumerator: Enumerator<Item>) => (await pairs(enumerator)).map(([item]) => item);
const cursors = async (enumerator: Enumerator<unknown>) => (await pairs(enumerator)).map(([, cursor]) => cursor);
