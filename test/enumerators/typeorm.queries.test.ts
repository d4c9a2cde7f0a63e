import type { DataSource, Logger, Repository, SelectQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { BatchOptions, Enumerator } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { DATABASES, type DatabaseName, type OpenDatabase, openDatabase } from '../support/query-databases.js';
import { Boat, Car, Letter, Member, queryEntities, Seat, Town, Vehicle } from '../support/query-entities.js';
import { until } from '../support/until.js';

const typeorm = new TypeOrmEnumeratorBuilder();
const COUNT = 30;
const PLANS = ['free', 'pro', 'team', 'pro', 'free'];

interface Statement {
  readonly sql: string;
  readonly parameters: unknown[];
}

/** Keeps all statements. */
class Statements implements Logger {
  readonly all: Statement[] = [];
  logQuery(sql: string, parameters: unknown[] = []): void {
    this.all.push({ sql, parameters });
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

const touch = { touched: () => 'touched + 1' };

describe.each(DATABASES)('typeorm.queries on %s', (database) => {
  let opened: OpenDatabase;
  let dataSource: DataSource;
  let members: Repository<Member>;
  const statements = new Statements();
  const itOn = (databases: readonly DatabaseName[], name: string, test: () => Promise<void>) => {
    if (databases.includes(database)) it(name, test);
  };

  beforeAll(async () => {
    opened = await openDatabase(
      database,
      database === 'postgresql' ? [...queryEntities, Town] : queryEntities,
      statements,
    );
    dataSource = opened.dataSource;
    members = dataSource.getRepository(Member);
  });
  afterAll(() => opened?.close());

  beforeEach(async () => {
    for (const entity of [Letter, Member, Seat, Vehicle]) await dataSource.getRepository(entity).deleteAll();
    await members.insert(
      Array.from({ length: COUNT }, (_, index) => ({
        id: index + 1,
        name: `n${index % 4}`,
        title: index % 6 === 0 ? 'my name is title' : `t${index}`,
        plan: PLANS[index % PLANS.length] as string,
        address: { town: `town ${index % 3}` },
        bossId: index % 2 === 0 ? null : index - (index % 3),
        deletedAt: index % 8 === 2 ? new Date() : null,
      })),
    );
    await dataSource.getRepository(Letter).insert(
      Array.from({ length: 40 }, (_, index) => ({
        title: `letter ${index % 3}`,
        member: { id: 1 + ((index * index) % 13) },
      })),
    );
  });

  const query = () => members.createQueryBuilder('m');
  const live = async () => idsOf(await members.find({ order: { id: 'ASC' } }));

  /** The number of updates of each member, soft-deleted ones too, in the order of ids. */
  async function touched(repository: Repository<Member> = members): Promise<number[]> {
    const all = await repository.find({ order: { id: 'ASC' }, withDeleted: true });
    return all.map((member) => member.touched);
  }

  async function idsTouched(): Promise<number[]> {
    return (await touched()).flatMap((times, index) => Array<number>(times).fill(index + 1));
  }

  /** Updates every batch, and returns the number of rows of each. */
  async function touchAll(select: SelectQueryBuilder<Member>, options: Partial<BatchOptions> = {}): Promise<number[]> {
    const sizes: number[] = [];
    for await (const [batch] of typeorm.queries(select, { cursor: null, batchSize: 7, ...options })) {
      sizes.push(await batch.getCount());
      const { affected } = await batch.update().set(touch).execute();
      expect(affected).toBe(sizes.at(-1));
    }
    return sizes;
  }

  it('typeorm.queries updates each row of a repository once, and no other row', async () => {
    const expected = await live();
    const sizes: number[] = [];
    for await (const [batch] of typeorm.queries(members, { cursor: null, batchSize: 7 })) {
      sizes.push((await batch.update().set(touch).execute()).affected as number);
    }
    expect(await idsTouched()).toEqual(expected);
    expect(sizes).toEqual([7, 7, 7, expected.length - 21]);
  });

  it.each([1, 2, 1_000])('typeorm.queries yields batches of %i rows', async (batchSize) => {
    const expected = await live();
    const sizes = await touchAll(query(), { batchSize });
    expect(await idsTouched()).toEqual(expected);
    expect(sizes).toHaveLength(Math.ceil(expected.length / batchSize));
    expect(await typeorm.queries(query(), { cursor: null, batchSize }).size?.()).toBe(sizes.length);
  });

  it('typeorm.queries yields no batch of an empty table', async () => {
    await members.deleteAll();
    expect(await touchAll(query())).toEqual([]);
    expect(await typeorm.queries(members, { cursor: null }).size?.()).toBe(0);
  });

  it('typeorm.queries has the cursors of typeorm.records, so a job can switch between them', async () => {
    const key = [{ column: 'plan', order: 'desc' }, 'name'] as const;
    const records = typeorm.records(query(), { cursor: null, key });
    const cursors = (await pairs(records)).map(([, cursor]) => cursor);
    const ours = (await pairs(typeorm.queries(query(), { cursor: null, key, batchSize: 5 }))).map(
      ([, cursor]) => cursor,
    );
    expect(ours).toEqual([4, 9, 14, 19, 24, cursors.length - 1].map((index) => cursors[index]));
  });

  describe('with any where', () => {
    const wheres: Record<string, (select: SelectQueryBuilder<Member>) => SelectQueryBuilder<Member>> = {
      'two parts joined by OR': (select) => select.where("m.plan = 'pro' OR m.plan = 'team'"),
      orWhere: (select) => select.where('m.plan = :a', { a: 'pro' }).orWhere('m.name = :b', { b: 'n0' }),
      'a list': (select) => select.where('m.plan IN (:...plans)', { plans: ['pro', 'team'] }),
      'an object': (select) => select.where({ plan: 'pro', address: { town: 'town 1' } }),
      'a property named as the column of another': (select) => select.where('m.name = :name', { name: 'n1' }),
      'a literal that holds names of properties': (select) => select.where("m.title = 'my name is title'"),
      'an embedded column': (select) => select.where("m.address.town = 'town 2'"),
      'escaped names': (select) =>
        select.where(`${select.escape('m')}.${select.escape('title')} = :name`, { name: 'n3' }),
      'the soft-deleted rows too': (select) => select.withDeleted().where("m.plan = 'pro' OR m.plan = 'team'"),
      'only the soft-deleted rows': (select) => select.withDeleted().where('m.deletedAt IS NOT NULL'),
      'no row': (select) => select.where('1 = 0'),
      'a subquery of another table': (select) =>
        select.where('EXISTS (SELECT 1 FROM letter WHERE letter.member_no = m.id AND letter_title = :title)', {
          title: 'letter 1',
        }),
      'a subquery of the same table, under its own name': (select) =>
        select.where('m.id IN (SELECT boss_no FROM member WHERE member.boss_no = m.id AND member.name <> :title)', {
          title: 'none',
        }),
      'parameters that have the names of its own': (select) =>
        select.where('m.plan <> :iteration_where_plan AND m.id > :iteration_key_after_0 AND m.id < :orm_param_0', {
          iteration_where_plan: 'free',
          iteration_key_after_0: 2,
          orm_param_0: 27,
        }),
      'a common table expression': (select) =>
        select
          .addCommonTableExpression(
            dataSource
              .createQueryBuilder()
              .select('l.member_no', 'no')
              .from('letter', 'l')
              .where('l.letter_title <> :title', { title: 'letter 2' }),
            'picked',
          )
          .where('m.id IN (SELECT no FROM picked)'),
      'a join': (select) => select.innerJoin('m.letters', 'l', 'l.id > :id', { id: 3 }).where("l.title <> 'letter 0'"),
      'a left join with its own select': (select) =>
        select.leftJoinAndSelect('m.letters', 'l').where("m.plan = 'pro' OR l.title = 'letter 1'"),
    };

    describe.each(Object.keys(wheres))('%s', (name) => {
      const select = () => (wheres[name] as (typeof wheres)[string])(query());

      it.each([
        ['the primary key', undefined],
        ['name', ['name']],
        ['plan, descending, then name', [{ column: 'plan', order: 'desc' }, 'name']],
      ] as const)('a batch updates exactly the rows that it selects, by %s', async (_, key) => {
        const expected = idsOf(await select().getMany()).sort((a, b) => a - b);
        const sizes = await touchAll(select(), { key: key as BatchOptions['key'] });
        expect(await idsTouched()).toEqual(expected);
        expect(sizes).toHaveLength(Math.ceil(expected.length / 7));
      });

      it('a batch deletes exactly the rows that it selects', async () => {
        const selected = idsOf(await select().getMany());
        const before = idsOf(await members.find({ withDeleted: true }));
        for await (const [batch] of typeorm.queries(select(), { cursor: null, batchSize: 3 })) {
          // A subquery selects members by the row of their boss, which must exist until its batch is deleted.
          await batch.delete().execute();
        }
        const after = idsOf(await members.find({ withDeleted: true }));
        expect(before.filter((id) => !after.includes(id)).sort((a, b) => a - b)).toEqual(
          selected.sort((a, b) => a - b),
        );
      });

      it('R24: typeorm.queries halves every batch into single rows, each with its cursor', async () => {
        const expected = idsOf(await select().getMany()).sort((a, b) => a - b);
        const batches = typeorm.queries(select(), { cursor: null, batchSize: 8 });
        const singles: number[] = [];
        let before: Cursor = null;
        for await (const [batch, cursor] of batches) {
          singles.push(...(await halved(batches, batch, before, cursor)));
          before = cursor;
        }
        expect(singles).toEqual(expected);
      });
    });
  });

  it('a batch soft-deletes exactly its rows, and restores them', async () => {
    const expected = idsOf(await query().where("m.plan = 'pro'").getMany()).sort((a, b) => a - b);
    const gone = idsOf(await members.find({ withDeleted: true, order: { id: 'ASC' } })).filter(
      (id) => !expected.includes(id),
    );
    const dead = (await members.find({ withDeleted: true })).filter(({ deletedAt }) => deletedAt).map(({ id }) => id);
    for await (const [batch] of typeorm.queries(query().where("m.plan = 'pro'"), { cursor: null, batchSize: 3 })) {
      await batch.softDelete().execute();
    }
    expect(await live()).toEqual(gone.filter((id) => !dead.includes(id)));
    const deleted = query().withDeleted().where("m.plan = 'pro' AND m.deletedAt IS NOT NULL");
    for await (const [batch] of typeorm.queries(deleted, { cursor: null, batchSize: 3 })) {
      await batch.restore().execute();
    }
    const pro = idsOf(await query().where("m.plan = 'pro'").getMany());
    expect(pro.length).toBeGreaterThan(expected.length);
  });

  it('a batch writes only to rows of its class in single-table inheritance', async () => {
    await dataSource.getRepository(Car).insert(Array.from({ length: 5 }, () => ({})));
    await dataSource.getRepository(Boat).insert(Array.from({ length: 5 }, () => ({})));
    for await (const [batch] of typeorm.queries(dataSource.getRepository(Boat), { cursor: null, batchSize: 2 })) {
      expect((await batch.update().set(touch).execute()).affected).toBe(await batch.getCount());
    }
    const all = await dataSource.getRepository(Vehicle).find();
    expect(all.map((vehicle) => `${vehicle.constructor.name} ${vehicle.touched}`).sort()).toEqual([
      ...Array<string>(5).fill('Boat 1'),
      ...Array<string>(5).fill('Car 0'),
    ]);
    for await (const [batch] of typeorm.queries(dataSource.getRepository(Car), { cursor: null, batchSize: 2 })) {
      await batch.delete().execute();
    }
    expect(await dataSource.getRepository(Vehicle).count()).toBe(5);
  });

  it('typeorm.queries follows its key, not the default order of the entity', async () => {
    const letters = dataSource
      .getRepository(Letter)
      .createQueryBuilder('l')
      .innerJoin('l.member', 'm', "m.plan = 'pro'");
    const count = await letters.getCount();
    const sizes: number[] = [];
    for await (const [batch] of typeorm.queries(letters, { cursor: null, batchSize: 3 })) {
      sizes.push((await batch.delete().execute()).affected as number);
    }
    expect(sizes).toHaveLength(Math.ceil(count / 3));
    expect(await letters.getCount()).toBe(0);
    expect(await dataSource.getRepository(Letter).count()).toBe(40 - count);
  });

  it.each([
    ['one direction', ['hall', 'row', 'number']],
    ['mixed directions', ['row', { column: 'hall', order: 'desc' }, { column: 'number', order: 'asc' }]],
    ['descending, the rest of the key added', [{ column: 'number', order: 'desc' }]],
  ] as const)('typeorm.queries follows a primary key of three columns: %s', async (_, key) => {
    const seats = dataSource.getRepository(Seat);
    const numbers = Array.from({ length: 4 }, (__, index) => index);
    await seats.insert(
      numbers.flatMap((hall) => numbers.flatMap((row) => numbers.map((number) => ({ hall, row, number })))),
    );
    const sizes: number[] = [];
    for await (const [batch] of typeorm.queries(seats, { cursor: null, batchSize: 9, key })) {
      sizes.push((await batch.update().set(touch).execute()).affected as number);
    }
    expect(sizes).toEqual([9, 9, 9, 9, 9, 9, 9, 1]);
    expect((await seats.find()).map((seat) => seat.touched)).toEqual(Array<number>(64).fill(1));
    const joined = seats.createQueryBuilder('s').innerJoin(Letter, 'l', 'l.id > 0').where('s.hall = 1');
    for await (const [batch] of typeorm.queries(joined, { cursor: null, batchSize: 5, key })) {
      await batch.delete().execute();
    }
    expect(await seats.countBy({ hall: 1 })).toBe(0);
    expect(await seats.count()).toBe(48);
  });

  describe('while rows change', () => {
    it('R1: batches stay complete while the update removes their rows from the where', async () => {
      const open = () => query().where('m.touched = 0');
      const expected = await live();
      const sizes: number[] = [];
      for await (const [batch] of typeorm.queries(open(), { cursor: null, batchSize: 7 })) {
        sizes.push((await batch.update().set(touch).execute()).affected as number);
        expect((await batch.update().set(touch).execute()).affected).toBe(0);
      }
      expect(sizes).toEqual([7, 7, 7, expected.length - 21]);
      expect(await idsTouched()).toEqual(expected);
    });

    it('R1: a batch that is repeated from the cursor before updates only rows that still match', async () => {
      const open = (cursor: Cursor) =>
        typeorm.queries(query().where('m.touched = 0'), { cursor, batchSize: 7 })[Symbol.asyncIterator]();
      const expected = await live();
      let cursor: Cursor = null;
      for (let run = 0; run < 10; run++) {
        const { value } = await open(cursor).next();
        if (!value) break;
        await value[0].update().set(touch).execute(); // committed, but its cursor is never saved
        const again = await open(cursor).next();
        if (!again.value) break;
        await again.value[0].update().set(touch).execute();
        cursor = again.value[1];
      }
      expect(await idsTouched()).toEqual(expected);
    });

    it('a batch updates the rows that are in its range when the update executes', async () => {
      const { value } = await typeorm.queries(query(), { cursor: 4, batchSize: 8 })[Symbol.asyncIterator]().next();
      const [batch] = value as readonly [SelectQueryBuilder<Member>, Cursor];
      await members.delete([6, 7]);
      await members.restore({ id: 11 });
      expect((await batch.update().set(touch).execute()).affected).toBe(7);
      expect((await members.findBy({ touched: 1 })).map(({ id }) => id).sort((a, b) => a - b)).toEqual([
        5, 8, 9, 10, 11, 12, 13,
      ]);
    });

    it('an update of a key column updates exactly its batch; rows that move ahead come again', async () => {
      const first = await typeorm.queries(query(), { cursor: null, batchSize: 5 })[Symbol.asyncIterator]().next();
      const [batch, cursor] = first.value as readonly [SelectQueryBuilder<Member>, Cursor];
      const own = idsOf(await batch.getMany());
      await batch
        .update()
        .set({ ...touch, id: () => 'id + 1000' })
        .execute();
      expect((await members.findBy({ touched: 1 })).map(({ id }) => id - 1000).sort((a, b) => a - b)).toEqual(own);
      await touchAll(query(), { cursor });
      const times = (await members.find()).map((member) => member.touched);
      expect(times.filter((count) => count === 2)).toHaveLength(5);
      expect(times.filter((count) => count === 0)).toHaveLength(0);
    });
  });

  describe('the query of a batch', () => {
    const first = async (select: SelectQueryBuilder<Member> = query(), batchSize = 10) => {
      const { value } = await typeorm.queries(select, { cursor: null, batchSize })[Symbol.asyncIterator]().next();
      return (value as readonly [SelectQueryBuilder<Member>, Cursor])[0];
    };

    it('the query selects entities, counts, columns and aggregates', async () => {
      const batch = await first(query().where("m.plan = 'pro'"), 4);
      const rows = await batch.orderBy('m.id').getMany();
      expect(rows.map((member) => member.plan)).toEqual(['pro', 'pro', 'pro', 'pro']);
      expect(rows[0]).toBeInstanceOf(Member);
      expect(await batch.getCount()).toBe(4);
      const ids = await (await first(query(), 4)).select('m.id', 'id').orderBy('m.id').getRawMany<{ id: number }>();
      expect(ids.map(({ id }) => id)).toEqual([1, 2, 4, 5]);
      const sum = await (await first(query(), 4)).select('SUM(m.id)', 'sum').getRawOne<{ sum: unknown }>();
      expect(Number(sum?.sum)).toBe(12);
    });

    it('the query selects with its joins', async () => {
      const batch = await first(query().leftJoinAndSelect('m.letters', 'l'), 4);
      const rows = await batch.getMany();
      expect(idsOf(rows).sort((a, b) => a - b)).toEqual([1, 2, 4, 5]);
      const letters = await dataSource.getRepository(Letter).findBy({ member: { id: 2 } });
      expect(rows.find(({ id }) => id === 2)?.letters).toHaveLength(letters.length);
    });

    it.each<[string, (batch: SelectQueryBuilder<Member>) => unknown]>([
      ['andWhere', (batch) => batch.andWhere('m.name = :name', { name: 'n1' })],
      ['where', (batch) => batch.where('m.name = :name', { name: 'n1' })],
      ['orWhere', (batch) => batch.orWhere('m.name = :name', { name: 'n1' })],
    ])('%s only narrows the query', async (_, narrow) => {
      const select = () => query().where('m.plan = :name OR m.plan = :other', { name: 'pro', other: 'free' });
      const batch = await first(select());
      const own = await (await first(select())).getMany();
      narrow(batch);
      const expected = own.filter(({ name }) => name === 'n1').map(({ id }) => id);
      expect(idsOf(await batch.getMany()).sort()).toEqual(expected.sort());
      await batch.update().set(touch).execute();
      expect(await idsTouched()).toEqual(expected.sort((a, b) => a - b));
    });

    it('conditions of an update only narrow the query, and may have parameters of any name', async () => {
      const batch = await first(query().where('m.plan = :name', { name: 'pro' }));
      const own = idsOf(await batch.getMany());
      const written = await batch
        .update()
        .set({ ...touch, title: 'set' })
        .where('title = :name', { name: 'n1' }) // as TypeORM takes it: the property title
        .orWhere('id < :orm_param_0', { orm_param_0: 5 })
        .execute();
      const expected = own.filter((id) => id < 5);
      expect(written.affected).toBe(expected.length);
      expect(await idsTouched()).toEqual(expected);
    });

    it('an update sets properties by their names, in values and in SQL', async () => {
      const batch = await first(query().innerJoin('m.letters', 'l'), 3);
      const own = idsOf(await batch.getMany()).sort((a, b) => a - b);
      await batch
        .update()
        .set({ touched: () => 'id', address: { town: 'new' }, name: () => 'title' })
        .execute();
      const rows = await members.findBy({ address: { town: 'new' } });
      expect(idsOf(rows).sort((a, b) => a - b)).toEqual(own);
      expect(rows.map(({ name, touched }) => [name, touched])).toEqual(rows.map(({ title, id }) => [title, id]));
    });

    it('the query and its clones can execute repeatedly and concurrently', async () => {
      const batch = await first(query().where("m.plan = 'pro'"), 4);
      const own = idsOf(await batch.getMany()).sort((a, b) => a - b);
      const again = batch.clone();
      await Promise.all([
        batch.update().set(touch).execute(),
        again.update().set(touch).execute(),
        again.clone().andWhere('m.id = :id', { id: own[0] }).update().set(touch).execute(),
      ]);
      expect(await batch.getCount()).toBe(4);
      expect(await idsTouched()).toEqual([own[0], own[0], own[0], ...own.slice(1).flatMap((id) => [id, id])]);
      expect((await batch.softDelete().execute()).affected).toBe(4);
      expect(await batch.getMany()).toEqual([]);
    });

    it('the query shares no state with other batches or the original query', async () => {
      const select = query().where('m.plan = :plan', { plan: 'pro' });
      const before = select.getQueryAndParameters();
      const batches = (await pairs(typeorm.queries(select, { cursor: null, batchSize: 4 }))).map(([batch]) => batch);
      const expected = await Promise.all(batches.map((batch) => batch.getCount()));
      const [one, ...others] = batches as [SelectQueryBuilder<Member>, ...SelectQueryBuilder<Member>[]];
      one.andWhere('1 = 0').setParameters({ iteration_key_until_0: 0, plan: 'x' });
      select.setParameters({ plan: 'free' });
      expect(await one.getCount()).toBe(0);
      expect(await Promise.all(others.map((batch) => batch.getCount()))).toEqual(expected.slice(1));
      select.setParameters({ plan: 'pro' });
      expect(select.getQueryAndParameters()).toEqual(before);
    });

    it('update(Entity) accepts the entity of the query, and refuses another', async () => {
      const batch = await first(query(), 4);
      expect((await batch.update(Member).set(touch).execute()).affected).toBe(4);
      expect(() => batch.update(Letter)).toThrow(InvalidEnumeratorError);
      expect(() => batch.update(Letter)).toThrow('this query selects rows of Member, and update(Letter)');
    });

    it('batches execute in the transaction of the original query', async () => {
      const runner = dataSource.createQueryRunner();
      try {
        await runner.startTransaction();
        const inside = runner.manager.getRepository(Member);
        await inside.deleteAll();
        await inside.insert([{ id: 900, name: 'x', title: 'x', plan: 'x', address: { town: 'x' } }]);
        for await (const [batch, cursor] of typeorm.queries(inside, { cursor: null })) {
          expect(cursor).toBe(900);
          expect((await batch.update().set(touch).execute()).affected).toBe(1);
        }
        expect(await touched(inside)).toEqual([1]);
      } finally {
        await runner.rollbackTransaction();
        await runner.release();
      }
      expect(await idsTouched()).toEqual([]);
    });
  });

  it('typeorm.queries reads one key per batch, and nothing else', async () => {
    statements.all.length = 0;
    const batches = await pairs(typeorm.queries(query(), { cursor: null, batchSize: 5, key: 'name' }));
    const reads = statements.all.filter(({ sql }) => sql.includes('FROM (SELECT'));
    expect(reads).toHaveLength(batches.length + 1);
    for (const { sql } of reads) expect(sql).toMatch(/LIMIT 5\) .* LIMIT 1$/);
    expect(statements.all.filter(({ sql }) => /FROM .member.( |$)/.test(sql))).toEqual(reads);
  });

  itOn(['postgresql'], 'SELECT, UPDATE and DELETE of a batch enter the index at both ends', async () => {
    statements.all.length = 0;
    const seats = dataSource.getRepository(Seat).createQueryBuilder('s');
    await dataSource.query(
      'INSERT INTO seat (hall, seat_row, number) SELECT n / 100, n / 10 % 10, n % 10 FROM generate_series(0, 999) n',
    );
    const { value } = await typeorm
      .queries(seats, { cursor: [1, 2, 3], batchSize: 5 })
      [Symbol.asyncIterator]()
      .next();
    const [batch, cursor] = value as readonly [SelectQueryBuilder<Seat>, Cursor];
    expect(cursor).toEqual([1, 2, 8]);
    await batch.getMany();
    await batch.update().set(touch).execute();
    await batch.delete().execute();
    const own = statements.all.filter(({ sql }) => sql.includes('"seat_row"') && !sql.startsWith('INSERT'));
    const [boundary, ...uses] = own.filter(({ sql }, index) => index === 0 || !sql.includes('FROM (SELECT'));
    expect(await planOf(dataSource, boundary)).toContain('Index Cond: (ROW(hall, seat_row, number) > ROW(1, 2, 3))');
    expect(uses.map(({ sql }) => sql.split(' ')[0])).toEqual(['SELECT', 'UPDATE', 'DELETE']);
    for (const use of uses) {
      expect(await planOf(dataSource, use)).toContain(
        'Index Cond: ((ROW(hall, seat_row, number) > ROW(1, 2, 3)) AND (ROW(hall, seat_row, number) <= ROW(1, 2, 8)))',
      );
    }
  });

  // SQLite has one connection here.
  itOn(
    ['postgresql', 'mariadb'],
    'R1: two workers that update the same batch at the same time update each row once',
    async () => {
      const open = typeorm.queries(query().where('m.touched = 0'), { cursor: null, batchSize: 10 });
      const { value } = await open[Symbol.asyncIterator]().next();
      const [batch] = value as readonly [SelectQueryBuilder<Member>, Cursor];
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      try {
        const one = await batch.clone().setQueryRunner(runner).update().set(touch).execute();
        const other = batch.update().set(touch).execute();
        await blocked(dataSource);
        await runner.commitTransaction();
        expect([one.affected, (await other).affected]).toEqual([10, 0]);
      } finally {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
      }
    },
  );

  itOn(['postgresql'], 'a batch writes to a table in a schema', async () => {
    const towns = dataSource.getRepository(Town);
    await towns.insert(Array.from({ length: 7 }, () => ({})));
    for await (const [batch] of typeorm.queries(towns, { cursor: null, batchSize: 3 })) {
      await batch.update().set(touch).execute();
    }
    expect((await towns.find()).map((town) => town.touched)).toEqual(Array<number>(7).fill(1));
    const select = towns.createQueryBuilder('t').where('t.id > (SELECT min(id) FROM place.town)');
    for await (const [batch] of typeorm.queries(select, { cursor: null, batchSize: 3 })) await batch.delete().execute();
    expect(await towns.count()).toBe(1);
  });

  describe('of unsupported input', () => {
    const queries = (given: unknown, options: object = { cursor: null }) =>
      typeorm.queries(given as SelectQueryBuilder<Member>, options as BatchOptions);

    it.each<[string, () => unknown, string]>([
      ['orderBy', () => query().orderBy('m.name'), 'typeorm.queries: the query of Member has orderBy'],
      ['take', () => query().take(10), 'has take'],
      ['groupBy', () => query().groupBy('m.id'), 'has groupBy'],
      ['a class', () => Member, 'typeorm.queries was given the class Member'],
      ['an UPDATE', () => query().update().set({ plan: 'x' }), 'was given an UpdateQueryBuilder'],
    ])('typeorm.queries refuses %s', (_, given, message) => {
      expect(() => queries(given())).toThrow(InvalidEnumeratorError);
      expect(() => queries(given())).toThrow(message);
    });

    it.each<[string, object, string]>([
      ['an unknown column', { key: 'nme' }, 'Member has no column "nme" for a key'],
      [
        'a batch size of 0',
        { batchSize: 0 },
        'typeorm.queries: option "batchSize" is 0; it must be a whole number, 1 or more',
      ],
      [
        'an unknown option',
        { size: 5 },
        'typeorm.queries: unknown option "size". The options are: cursor, key, pageSize, range, batchSize',
      ],
      ['no cursor', { cursor: undefined }, 'no cursor is given'],
    ])('typeorm.queries refuses the option: %s', (_, options, message) => {
      expect(() => queries(query(), { cursor: null, ...options })).toThrow(InvalidOptionsError);
      expect(() => queries(query(), { cursor: null, ...options })).toThrow(message);
    });

    it('R8: typeorm.queries refuses the cursor of another key', () => {
      expect(() => queries(query(), { cursor: ['a', 1] })).toThrow(InvalidCursorError);
      expect(() => queries(query(), { cursor: ['a', 1] })).toThrow('typeorm.queries of Member by (id): the cursor');
    });
  });
});

/** The ids of a batch, halved until each has one row. */
async function halved(
  batches: Enumerator<SelectQueryBuilder<Member>>,
  batch: SelectQueryBuilder<Member>,
  before: Cursor,
  cursor: Cursor,
): Promise<number[]> {
  const halves = await batches.halve?.(batch, before, cursor);
  if (!halves) return idsOf(await batch.getMany());
  const [[one, middle], [other, end]] = halves;
  expect(end).toEqual(cursor);
  return [...(await halved(batches, one, before, middle)), ...(await halved(batches, other, middle, end))];
}

/** How PostgreSQL would execute a statement if a table were large. */
async function planOf(dataSource: DataSource, statement: Statement | undefined): Promise<string> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query('SET LOCAL enable_seqscan = off');
    await runner.query('SET LOCAL enable_bitmapscan = off');
    const plan: Record<string, string>[] = await runner.query(`EXPLAIN ${statement?.sql}`, statement?.parameters);
    return plan.map((line) => line['QUERY PLAN']).join('\n');
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
}

/** Resolves when an update waits for another. */
async function blocked(dataSource: DataSource): Promise<void> {
  const waiting =
    dataSource.options.type === 'postgres'
      ? "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
      : "SELECT 1 FROM information_schema.processlist WHERE state = 'Updating' AND db = database()";
  await until('an update waits', async () => (await dataSource.query(waiting)).length > 0);
}

async function pairs<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const found: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) found.push(pair);
  return found;
}

function idsOf(rows: readonly { id: number }[]): number[] {
  return rows.map(({ id }) => id);
}
