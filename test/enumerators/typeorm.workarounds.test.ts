import { readFileSync } from 'node:fs';
import type { DataSource, Repository } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OpenDatabase, openDatabase } from '../support/query-databases.js';
import { Letter, Member, queryEntities } from '../support/query-entities.js';

/** The version of TypeORM that lib/enumerators/typeorm/typeorm.workarounds.ts was written for. */
const MADE_FOR = '1.1';
const touch = { touched: () => 'times_touched + 1' };

/**
 * These tests use TypeORM alone. If one fails, TypeORM has changed: remove its workaround, if typeorm.queries works
 * without it.
 */
describe(`TypeORM ${MADE_FOR} needs each workaround`, () => {
  let opened: OpenDatabase;
  let dataSource: DataSource;
  let members: Repository<Member>;

  beforeAll(async () => {
    opened = await openDatabase('sqlite', queryEntities);
    dataSource = opened.dataSource;
    members = dataSource.getRepository(Member);
  });
  afterAll(() => opened?.close());

  beforeEach(async () => {
    await dataSource.getRepository(Letter).deleteAll();
    await members.deleteAll();
    await members.insert(
      [1, 2, 3, 4].map((id) => ({
        id,
        name: `n${id}`,
        title: 't',
        plan: id < 4 ? 'pro' : 'free',
        address: { town: 'a' },
        deletedAt: id === 2 ? new Date(0) : null,
      })),
    );
    await dataSource.getRepository(Letter).insert({ title: 'one', member: { id: 1 } });
  });

  const pro = () => members.createQueryBuilder('m').where("plan = 'pro'");
  const touched = async () => {
    const all = await members.find({ order: { id: 'ASC' }, withDeleted: true });
    return all.filter((member) => member.touched > 0).map(({ id }) => id);
  };

  it('the installed version of TypeORM is the supported one', () => {
    const manifest = readFileSync(new URL('../../node_modules/typeorm/package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(version.split('.').slice(0, 2).join('.')).toBe(MADE_FOR);
  });

  it('copyOf: clone() drops the options of setOption()', () => {
    const query = pro().setOption('disable-global-order');
    expect(query.expressionMap.options).toEqual(['disable-global-order']);
    expect(query.clone().expressionMap.options).toEqual([]);
  });

  it('givenRunner: only subclasses can read the connection of a query', async () => {
    const runner = dataSource.createQueryRunner();
    const query = members.createQueryBuilder('m').setQueryRunner(runner);
    expect(Object.hasOwn(query, 'queryRunner')).toBe(true);
    // @ts-expect-error it is protected
    expect(query.queryRunner).toBe(runner);
    await runner.release();
  });

  it('loadsRelationsApart: relations that separate queries load are private', () => {
    const query = members
      .createQueryBuilder('m')
      .setFindOptions({ relationLoadStrategy: 'query', relations: { letters: true } });
    query.getQuery();
    // @ts-expect-error it is private
    expect(query.relationMetadatas).toHaveLength(1);
  });

  it('whereOf: only subclasses can read the whole where', () => {
    const query = pro();
    // @ts-expect-error it is protected
    expect(query.createWhereExpression()).toContain('m.deletedAt IS NULL');
    // @ts-expect-error it is protected
    expect(query.replacePropertyNamesForTheWholeQuery('m.title')).toBe('"m"."name"');
  });

  it('writeTo: an update or delete fails if its where names the alias', async () => {
    const named = () => members.createQueryBuilder('m').where("m.plan = 'pro'");
    await expect(named().update().set(touch).execute()).rejects.toThrow('no such column: m.plan');
    await expect(named().delete().execute()).rejects.toThrow('no such column: m.plan');
    await expect(named().softDelete().execute()).rejects.toThrow('no such column: m.plan');
    await expect(named().restore().execute()).rejects.toThrow('no such column: m.plan');
  });

  it('writeTo: an update writes to soft-deleted rows that the query does not select', async () => {
    expect((await pro().orderBy('m.id').getMany()).map(({ id }) => id)).toEqual([1, 3]);
    await pro().update().set(touch).execute();
    expect(await touched()).toEqual([1, 2, 3]);
  });

  it('writeTo: an update ignores the joins of the query', async () => {
    const joined = pro().innerJoin('m.letters', 'l');
    expect((await joined.clone().getMany()).map(({ id }) => id)).toEqual([1]);
    await joined.update().set(touch).execute();
    expect(await touched()).toEqual([1, 2, 3]);
  });

  it('onWrite: orWhere() of an update widens the update', async () => {
    await pro().update().set(touch).orWhere('plan = :plan', { plan: 'free' }).execute();
    expect(await touched()).toEqual([1, 2, 3, 4]);
  });
});
