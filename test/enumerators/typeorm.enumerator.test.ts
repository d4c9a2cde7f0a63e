import { DataSource, type Logger, type Repository, type SelectQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { BatchOptions, Enumerator, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import type { Query } from '../../lib/enumerators/typeorm/query.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../../lib/iteration.errors.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import {
  Animal,
  Big,
  Cat,
  Dog,
  entities,
  Instant,
  Measurement,
  Person,
  Post,
  Price,
  Seat,
  User,
  UserName,
  Uuid,
  Word,
} from '../support/typeorm-entities.js';

const typeorm = new TypeOrmEnumeratorBuilder();

/** Keeps the last query, so that a test can EXPLAIN it. */
class QueryLog implements Logger {
  last: { sql: string; parameters: unknown[] } = { sql: '', parameters: [] };
  logQuery(sql: string, parameters: unknown[] = []): void {
    this.last = { sql, parameters };
  }
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}

let database: TestDatabase;
let dataSource: DataSource;
const logger = new QueryLog();

beforeAll(async () => {
  database = await createDatabase();
  await database.query('CREATE SCHEMA measuring');
  dataSource = new DataSource({
    type: 'postgres',
    url: database.url,
    entities,
    synchronize: true,
    cache: true,
    logging: ['query'],
    logger,
  });
  await dataSource.initialize();
  await fill();
});

afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

describe('typeorm.records, by the primary key', () => {
  for (const pageSize of [1, 2, 7, 1000]) {
    itKeepsTheEnumeratorContract(`a generated int, pages of ${pageSize}`, {
      size: 'exact',
      build: (at) => typeorm.records(dataSource.getRepository(User), { ...at, pageSize }),
      identify: (user: User) => user.id,
      expected: () => column('SELECT id FROM "user" WHERE "deletedAt" IS NULL ORDER BY id'),
    });
  }

  itKeepsTheEnumeratorContract('bigint beyond 2^53', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Big), { ...at, pageSize: 3 }),
    identify: (big: Big) => big.id,
    expected: () => column('SELECT id::text FROM big ORDER BY big.id'),
  });

  itKeepsTheEnumeratorContract('uuid', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Uuid), { ...at, pageSize: 7 }),
    identify: (uuid: Uuid) => uuid.id,
    expected: () => column('SELECT id FROM uuid ORDER BY id'),
  });

  itKeepsTheEnumeratorContract('text with odd characters', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Word), { ...at, pageSize: 2 }),
    identify: (word: Word) => word.text,
    expected: () => column('SELECT text FROM word ORDER BY text'),
  });

  itKeepsTheEnumeratorContract('three columns that TypeORM joins to one text', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Seat), { ...at, pageSize: 7 }),
    identify: ({ hall, number, row }: Seat) => [hall, number, row].join('|'),
    expected: () => column(`SELECT concat_ws('|', hall, number, row) FROM seat ORDER BY hall, number, row`),
  });

  itKeepsTheEnumeratorContract('embedded columns', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Person), { ...at, pageSize: 7 }),
    identify: ({ passport }: Person) => `${passport.country} ${passport.number}`,
    expected: () =>
      column(
        `SELECT concat_ws(' ', "passportCountry", "passportNumber") FROM person ORDER BY "passportCountry", "passportNumber"`,
      ),
  });

  itKeepsTheEnumeratorContract('a column with a transformer', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Price), { ...at, pageSize: 2 }),
    identify: ({ price }: Price) => price,
    expected: [0.01, 0.99, 1, 9.5, 10, 99.99],
  });

  itKeepsTheEnumeratorContract('timestamptz, 10 rows in each millisecond', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Instant).createQueryBuilder('i'), { ...at, pageSize: 16 }),
    identify: ({ at }: Instant) => at.getTime(),
    expected: () => column('SELECT trunc(extract(epoch FROM at) * 1000)::float8 FROM instant ORDER BY at'),
    stretches: 4,
  });

  it('R8: a cursor is a scalar for a key of one column, and an array for several', async () => {
    expect((await cursors(typeorm.records(dataSource.getRepository(Price), { cursor: null })))[0]).toBe('000001');
    expect((await cursors(typeorm.records(dataSource.getRepository(Big), { cursor: null }))).at(-1)).toBe(
      '9223372036854775807',
    );
    expect((await cursors(typeorm.records(dataSource.getRepository(Seat), { cursor: null })))[0]).toEqual([
      'A',
      1,
      '1',
    ]);
  });
});

describe('typeorm.records, by a key', () => {
  const ordered =
    (columns: string, rows = 100) =>
    () =>
      column(`SELECT id FROM measuring.measurement WHERE id <= ${rows} ORDER BY ${columns}`);
  const measurements = (key: KeysetOptions['key'], { rows, pageSize }: { rows: number; pageSize: number }) => ({
    build: (at: { cursor: Cursor }) =>
      typeorm.records(
        dataSource.getRepository(Measurement).createQueryBuilder('m').select('m.id').where('m.id <= :rows', { rows }),
        {
          ...at,
          key,
          pageSize,
        },
      ),
    identify: (row: Measurement) => row.id,
    stretches: 4,
  });

  itKeepsTheEnumeratorContract('1,000 timestamptz 100 us apart, ascending', {
    size: 'exact',
    ...measurements('createdAt', { rows: 1000, pageSize: 16 }),
    expected: ordered('created_at, id', 1000),
  });
  itKeepsTheEnumeratorContract('1,000 timestamptz 100 us apart, descending', {
    size: 'exact',
    ...measurements([{ column: 'createdAt', order: 'desc' }], { rows: 1000, pageSize: 16 }),
    expected: ordered('created_at DESC, id DESC', 1000),
  });
  itKeepsTheEnumeratorContract('timestamps with ties', {
    size: 'exact',
    ...measurements('local', { rows: 100, pageSize: 7 }),
    expected: ordered('local, id'),
  });
  itKeepsTheEnumeratorContract('mixed directions', {
    size: 'exact',
    ...measurements([{ column: 'day', order: 'desc' }, 'clock', { column: 'id', order: 'desc' }], {
      rows: 100,
      pageSize: 7,
    }),
    expected: ordered('day DESC, clock, id DESC'),
  });
  for (const name of ['day', 'clock', 'amount', 'ratio', 'small', 'big', 'flag', 'code', 'level', 'bytes', 'secret']) {
    itKeepsTheEnumeratorContract(`a column of another type: ${name}`, {
      size: 'exact',
      ...measurements(name, { rows: 100, pageSize: 7 }),
      expected: ordered(`${name}, id`),
    });
  }
});

describe('typeorm.records, of a query', () => {
  const users = () => dataSource.getRepository(User).createQueryBuilder('u');

  itKeepsTheEnumeratorContract('a where of two parts joined by OR', {
    size: 'exact',
    build: (at) => typeorm.records(users().where("u.plan = 'pro' OR u.plan = 'team'"), { ...at, pageSize: 7 }),
    identify: ({ id }: User) => id,
    expected: () => column(`SELECT id FROM "user" WHERE plan <> 'free' AND "deletedAt" IS NULL ORDER BY id`),
  });

  itKeepsTheEnumeratorContract('where and orWhere, with a descending key', {
    size: 'exact',
    build: (at) =>
      typeorm.records(users().where('u.plan = :a', { a: 'pro' }).orWhere('u.plan = :b', { b: 'team' }), {
        ...at,
        key: [{ column: 'plan', order: 'desc' }],
        pageSize: 7,
      }),
    identify: ({ id }: User) => id,
    expected: () =>
      column(`SELECT id FROM "user" WHERE plan <> 'free' AND "deletedAt" IS NULL ORDER BY plan DESC, id DESC`),
  });

  itKeepsTheEnumeratorContract('with the soft-deleted rows', {
    size: 'exact',
    build: (at) => typeorm.records(users().withDeleted(), { ...at, pageSize: 7 }),
    identify: ({ id }: User) => id,
    expected: () => column('SELECT id FROM "user" ORDER BY id'),
  });

  itKeepsTheEnumeratorContract('two columns with NULLs, first and last', {
    size: 'exact',
    build: (at) =>
      typeorm.records(users().withDeleted(), {
        ...at,
        key: [
          { column: 'deletedAt', order: 'desc', nulls: 'first' },
          { column: 'nickname', order: 'asc', nulls: 'last' },
        ],
        pageSize: 7,
      }),
    identify: ({ id }: User) => id,
    expected: () =>
      column('SELECT id FROM "user" ORDER BY "deletedAt" DESC NULLS FIRST, nickname ASC NULLS LAST, id ASC'),
  });

  itKeepsTheEnumeratorContract('a required column with the option nulls', {
    size: 'exact',
    build: (at) =>
      typeorm.records(users(), { ...at, key: [{ column: 'name', order: 'desc', nulls: 'last' }], pageSize: 7 }),
    identify: ({ id }: User) => id,
    expected: () => column('SELECT id FROM "user" WHERE "deletedAt" IS NULL ORDER BY name DESC, id DESC'),
  });

  it('R8: the cursor of a row with NULL holds null', async () => {
    const all = await cursors(
      typeorm.records(users(), { cursor: null, key: [{ column: 'nickname', order: 'asc', nulls: 'first' }] }),
    );
    expect(all.slice(0, 2)).toEqual([
      [null, 1],
      [null, 4],
    ]);
  });

  for (const batchSize of [1, 4, 100]) {
    const batchesOf = (all: readonly unknown[]) =>
      Array.from({ length: Math.ceil(all.length / batchSize) }, (_, n) =>
        all.slice(n * batchSize, (n + 1) * batchSize),
      );
    itKeepsTheEnumeratorContract(`batches of ${batchSize}`, {
      size: 'exact',
      build: (at) => typeorm.batches(users(), { ...at, key: 'name', batchSize }),
      identify: (batch: User[]) => batch.map(({ id }) => id),
      records: (batch) => batch.map(({ id }) => id),
      expected: async () =>
        batchesOf(await column('SELECT id FROM "user" WHERE "deletedAt" IS NULL ORDER BY name, id')),
    });
    itKeepsTheEnumeratorContract(`batches of ${batchSize} entities with a join, pages of 3`, {
      size: 'exact',
      build: (at) => typeorm.batches(users().leftJoinAndSelect('u.posts', 'p'), { ...at, batchSize, pageSize: 3 }),
      identify: (batch: User[]) => batch.map(({ id, posts }) => [id, posts.length]),
      records: (batch) => batch.map(({ id }) => id),
      expected: async () =>
        batchesOf(
          (
            await database.query<{ id: number; posts: number }>(`SELECT u.id, count(p.id)::int AS posts FROM "user" u
              LEFT JOIN post p ON p.author_id = u.id WHERE u."deletedAt" IS NULL GROUP BY u.id ORDER BY u.id`)
          ).map(({ id, posts }) => [id, posts]),
        ),
      stretches: 4,
    });
  }

  itKeepsTheEnumeratorContract('a select of one nullable column', {
    size: 'exact',
    build: (at) => typeorm.records(users().select('u.nickname'), { ...at, key: 'name', pageSize: 7 }),
    identify: (user: User) => ({ ...user }),
    expected: async () =>
      (await column('SELECT nickname FROM "user" WHERE "deletedAt" IS NULL ORDER BY name, id')).map((nickname) => ({
        nickname,
      })),
  });

  itKeepsTheEnumeratorContract('a select beside an embedded key', {
    size: 'exact',
    build: (at) =>
      typeorm.records(dataSource.getRepository(Person).createQueryBuilder('p').select('p.note'), {
        ...at,
        key: ['name.last', 'passportCountry'],
        pageSize: 7,
      }),
    identify: (person: Person) => ({ ...person }),
    expected: async () =>
      (await column('SELECT note FROM person ORDER BY family_name, "passportCountry", "passportNumber"')).map(
        (note) => ({ note }),
      ),
  });

  itKeepsTheEnumeratorContract('a table of several classes', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Animal), { ...at, pageSize: 2 }),
    identify: (animal: Animal) => `${animal.constructor.name} ${animal.id}`,
    expected: ['Cat 1', 'Dog 2', 'Cat 3', 'Dog 4', 'Cat 5'],
  });

  itKeepsTheEnumeratorContract('one class of a table', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Cat), { ...at, pageSize: 2 }),
    identify: (cat: Cat) => `${cat.id}: ${cat.lives}`,
    expected: ['1: 9', '3: 8', '5: 7'],
  });

  itKeepsTheEnumeratorContract('a left join that multiplies rows', {
    size: 'exact',
    build: (at) =>
      typeorm.records(users().leftJoinAndSelect('u.posts', 'p').where('u.plan = :plan', { plan: 'pro' }), {
        ...at,
        key: 'name',
        pageSize: 2,
      }),
    identify: ({ id, posts }: User) => [id, ...posts.map((post) => post.id).sort((a, b) => a - b)].join(' '),
    expected: () =>
      column(`SELECT concat_ws(' ', u.id, string_agg(p.id::text, ' ' ORDER BY p.id)) FROM "user" u
        LEFT JOIN post p ON p.author_id = u.id WHERE u.plan = 'pro' AND u."deletedAt" IS NULL
        GROUP BY u.id ORDER BY u.name, u.id`),
  });

  itKeepsTheEnumeratorContract('an inner join with a where on joined rows', {
    size: 'exact',
    build: (at) =>
      typeorm.records(users().innerJoinAndSelect('u.posts', 'p', 'p.id % :n = 0', { n: 2 }).where("p.title <> 'b'"), {
        ...at,
        pageSize: 2,
      }),
    identify: ({ id, posts }: User) => [id, ...posts.map((post) => post.id).sort((a, b) => a - b)].join(' '),
    expected: () =>
      column(`SELECT concat_ws(' ', u.id, string_agg(p.id::text, ' ' ORDER BY p.id)) FROM "user" u
        JOIN post p ON p.author_id = u.id WHERE p.id % 2 = 0 AND p.title <> 'b' AND u."deletedAt" IS NULL
        GROUP BY u.id ORDER BY u.id`),
  });

  itKeepsTheEnumeratorContract('a relation as the key', {
    size: 'exact',
    build: (at) => typeorm.records(dataSource.getRepository(Post), { ...at, key: 'author', pageSize: 7 }),
    identify: ({ id }: Post) => id,
    expected: () => column('SELECT id FROM post ORDER BY author_id, id'),
  });

  it('typeorm.records yields entities with only the selected properties', async () => {
    const select = users().select(['u.name', 'u.plan']);
    const [user] = await items(typeorm.records(select, { cursor: null, key: 'plan' }));
    expect(user).toBeInstanceOf(User);
    expect(Object.keys(user as User).sort()).toEqual(['name', 'plan']);
    const [measurement] = await items(
      typeorm.records(dataSource.getRepository(Measurement), { cursor: null, key: ['createdAt', 'secret'] }),
    );
    const [plain] = await dataSource.getRepository(Measurement).find({ where: { id: 1 } });
    expect({ ...measurement }).toEqual({ ...plain });
  });

  it("typeorm.records keeps the user's parameters that have the names of its own", async () => {
    const select = users()
      .where('u.id <> :iteration_key_after_0 AND u.id < :iteration_key__until_0')
      .setParameters({ iteration_key_after_0: 2, iteration_key__until_0: 6 });
    expect((await items(typeorm.records(select, { cursor: 1 }))).map(({ id }) => id)).toEqual([4, 5]);
  });

  it('typeorm.records copies its query, so later changes of one do not affect the other', async () => {
    const select = users().where('u.id < 6');
    const before = select.getQueryAndParameters();
    const enumerator = typeorm.records(select, { cursor: ['n0', 1], key: 'name' });
    expect((await items(enumerator)).length).toBeGreaterThan(0);
    expect(select.getQueryAndParameters()).toEqual(before);
    const later = typeorm.records(select, { cursor: null });
    select.andWhere('1 = 0');
    expect((await items(later)).map(({ id }) => id)).toEqual([1, 2, 4, 5]);
    expect(await later.size?.()).toBe(4);
  });

  it('typeorm.records keeps the options of the query', async () => {
    const [user] = await items(typeorm.records(users().setOption('create-pojo'), { cursor: null }));
    expect(user).not.toBeInstanceOf(User);
  });

  it('typeorm.records never reads a page from the cache of the query', async () => {
    const cached = users().cache('users', 60_000);
    expect((await items(typeorm.records(cached, { cursor: null, pageSize: 7 }))).length).toBe(
      await typeorm.records(cached, { cursor: null }).size?.(),
    );
  });

  it.each<[string, KeysetOptions['key'], Cursor, string]>([
    ['of one direction', ['hall', 'number', 'row'], ['A_1', 2, '2'], '(ROW(hall, number, "row") > ROW('],
    [
      'of one direction, descending',
      [{ column: 'hall', order: 'desc' }],
      ['A_1', 2, '2'],
      '(ROW(hall, number, "row") < ROW(',
    ],
    ['of mixed directions', ['hall', { column: 'number', order: 'desc' }], ['A_1', 2, '2'], '(hall >= '],
  ])('typeorm.records enters the index at the cursor of a key %s', async (_, key, cursor, condition) => {
    await items(typeorm.records(dataSource.getRepository(Seat), { cursor, key }));
    const { sql, parameters } = logger.last;
    const runner = dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      await runner.query('SET LOCAL enable_seqscan = off');
      await runner.query('SET LOCAL enable_bitmapscan = off');
      const plan: Record<string, string>[] = await runner.query(`EXPLAIN ${sql}`, parameters);
      expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain(`Index Cond: ${condition}`);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });

  it('a SelectQueryBuilder of TypeORM satisfies the type Query', () => {
    const query: Query<User> = users() satisfies SelectQueryBuilder<User>;
    expect(query.expressionMap.mainAlias?.name).toBe('u');
  });
});

describe('typeorm.records, while rows change', () => {
  it('R1: typeorm.records resumes exactly after the row of the cursor was deleted', async () => {
    await withWords(['a', 'b', 'c', 'd'], async (words) => {
      const [, second] = await cursors(typeorm.records(words, { cursor: null }));
      await words.delete({ text: 'b' });
      expect(await texts(typeorm.records(words, { cursor: second as Cursor }))).toEqual(['c', 'd']);
    });
  });

  it('R1: typeorm.records loses and repeats no row while others are inserted and deleted', async () => {
    await withWords(['b', 'd', 'f', 'h', 'j', 'l'], async (words) => {
      const seen: string[] = [];
      let cursor: Cursor = null;
      for (const change of [
        () => words.insert([{ text: 'a' }, { text: 'e' }]),
        () => words.delete({ text: 'b' }),
        () => words.delete({ text: 'f' }),
        () => words.insert([{ text: 'c' }, { text: 'k' }]),
      ]) {
        for await (const [{ text }, at] of typeorm.records(words, { cursor, pageSize: 2 })) {
          seen.push(text);
          cursor = at;
          break;
        }
        await change();
      }
      seen.push(...(await texts(typeorm.records(words, { cursor, pageSize: 2 }))));
      expect(seen).toEqual(['b', 'd', 'e', 'h', 'j', 'k', 'l']);
    });
  });

  it('a cursor holds the key of the row as read, even if the handler changes the entity', async () => {
    const seen: Cursor[] = [];
    for await (const [seat, cursor] of typeorm.records(dataSource.getRepository(Seat), { cursor: null, pageSize: 2 })) {
      seat.hall = 'Z';
      seat.number = -1;
      seen.push(cursor);
    }
    expect(seen).toEqual(await cursors(typeorm.records(dataSource.getRepository(Seat), { cursor: null })));
  });
});

describe('typeorm.records, under settings of the session', () => {
  const settings = [
    ...["TimeZone = 'America/St_Johns'", "TimeZone = 'Pacific/Apia'", "DateStyle = 'SQL, DMY'", "DateStyle = 'German'"],
    ...['extra_float_digits = -15', "bytea_output = 'escape'"],
  ];

  it.each(settings)('a session with SET %s has the same cursors, and accepts those of others', async (setting) => {
    const runner = dataSource.createQueryRunner();
    try {
      await runner.query(`SET ${setting}`);
      for (const key of ['createdAt', 'local', 'day', 'clock', 'amount', 'ratio', 'small', 'bytes']) {
        const here = dataSource.getRepository(Measurement).createQueryBuilder('m', runner).where('m.id <= 12');
        const there = dataSource.getRepository(Measurement).createQueryBuilder('m').where('m.id <= 12');
        const expected = (await items(typeorm.records(there, { cursor: null, key }))).map(({ id }) => id);
        const theirs = await cursors(typeorm.records(there, { cursor: null, key }));
        const ours = await cursors(typeorm.records(here, { cursor: null, key }));
        for (const [index, id] of expected.entries()) {
          const rest = expected.slice(index + 1);
          expect([key, id, ...(await ids(typeorm.records(here, { cursor: theirs[index] as Cursor, key })))]).toEqual([
            key,
            id,
            ...rest,
          ]);
          expect([key, id, ...(await ids(typeorm.records(there, { cursor: ours[index] as Cursor, key })))]).toEqual([
            key,
            id,
            ...rest,
          ]);
        }
      }
    } finally {
      await runner.query('DISCARD ALL');
      await runner.release();
    }
  });

  it('typeorm.records resumes at infinity, at NaN, and at years before 1 and after 9999', async () => {
    const key = ['local', 'ratio'];
    const extremes = () => dataSource.getRepository(Measurement).createQueryBuilder('m').where('m.id > 1000');
    const expected = await column('SELECT id FROM measuring.measurement WHERE id > 1000 ORDER BY local, ratio, id');
    const seen: unknown[] = [];
    let cursor: Cursor = null;
    while (seen.length <= expected.length) {
      const [next] = await pairs(typeorm.records(extremes(), { cursor, key, pageSize: 1 }));
      if (!next) break;
      seen.push(next[0].id);
      cursor = JSON.parse(JSON.stringify(next[1])) as Cursor;
    }
    expect(seen).toEqual(expected);
  });
});

describe('typeorm.records, of unsupported input', () => {
  const users = () => dataSource.getRepository(User).createQueryBuilder('u');
  const records = (query: unknown, options: object = { cursor: null }) =>
    typeorm.records(query as SelectQueryBuilder<User>, options as KeysetOptions);

  it.each<[string, () => unknown, string]>([
    [
      'orderBy',
      () => users().orderBy('u.name'),
      'has orderBy, which does not work with a key. Order by the option key instead',
    ],
    ['take', () => users().take(10), 'has take'],
    ['limit', () => users().limit(10), 'has limit'],
    ['skip', () => users().skip(10), 'has skip'],
    ['offset', () => users().offset(10), 'has offset'],
    ['groupBy', () => users().groupBy('u.id'), 'has groupBy'],
    ['having', () => users().having('true'), 'has having'],
    ['distinct', () => users().distinct(), 'has distinct'],
    ['distinctOn', () => users().distinctOn(['u.plan']), 'has distinctOn'],
    ['a lock', () => users().setLock('pessimistic_write'), 'has a lock'],
    ['only raw selections', () => users().select('COUNT(*)', 'count'), 'has only raw selections'],
    ['only a renamed column', () => users().select('u.name', 'n'), 'has only raw selections'],
    [
      'relations of the query strategy',
      () => users().setFindOptions({ relations: { posts: true }, relationLoadStrategy: 'query' }),
      "has relations with relationLoadStrategy 'query'",
    ],
    ['two entities', () => users().addFrom(Post, 'p'), 'does not select from one entity'],
    ['no entity', () => dataSource.createQueryBuilder().select('1'), 'does not select from one entity'],
    ['an EntityManager', () => dataSource.manager, 'does not select from one entity'],
    ['an entity without a primary key', () => dataSource.getRepository(UserName), 'UserName has no primary key'],
    ['a class', () => User, 'was given the class User. Give it a Repository, or a SelectQueryBuilder'],
    ['a promise', () => Promise.resolve([]), 'was given a Promise'],
    ['a DataSource', () => dataSource, 'was given a DataSource'],
    ['an UPDATE', () => users().update().set({ name: 'x' }), 'was given an UpdateQueryBuilder'],
    ['nothing', () => undefined, 'was given undefined'],
  ])('typeorm.records refuses %s', (_, query, message) => {
    expect(() => records(query())).toThrow(InvalidEnumeratorError);
    expect(() => records(query())).toThrow(message);
  });

  it.each<[string, object, string]>([
    [
      'an unknown column',
      { key: 'nme' },
      'User has no column "nme" for a key. It has: id, name, plan, nickname, deletedAt',
    ],
    [
      'a nullable column',
      { key: ['name', 'nickname'] },
      'the key column "nickname" of User is nullable, and rows with NULL would be lost. State their position: ' +
        "{ key: [{ column: 'nickname', order: 'asc', nulls: 'last' }] }, or 'first'",
    ],
    ['a column named twice', { key: ['name', 'name'] }, 'key names the column "name" twice'],
    ['an empty key', { key: [] }, `typeorm.records: option "key" is []; it must be a column's name, { column: 'name'`],
    ['an empty column', { key: '' }, `option "key" is ""; it must be a column's name`],
    [
      'a column without a name',
      { key: [{ order: 'asc' }] },
      'option "key": option "column" is undefined; it must be a string',
    ],
    ['a column that is a number', { key: ['name', 5] }, `option "key" is ["name",5]; it must be a column's name`],
    [
      'an unknown direction',
      { key: [{ column: 'name', order: 'down' }] },
      `option "key": option "order" is "down"; it must be 'asc' or 'desc'`,
    ],
    [
      'an unknown position of nulls',
      { key: [{ column: 'name', order: 'asc', nulls: 'middle' }] },
      `option "key": option "nulls" is "middle"; it must be 'first' or 'last'`,
    ],
    [
      'a page size of 0',
      { pageSize: 0 },
      'typeorm.records: option "pageSize" is 0; it must be a whole number, 1 or more',
    ],
    ['a page size of 0.5', { pageSize: 0.5 }, 'option "pageSize" is 0.5'],
    ['a size', { size: 5 }, 'typeorm.records: unknown option "size". The options are: cursor, key, pageSize, range'],
    ['a batch', { batchSize: 5 }, 'typeorm.records: unknown option "batchSize". Did you mean "pageSize"?'],
    ['no cursor', { cursor: undefined }, 'no cursor is given'],
  ])('typeorm.records refuses the option: %s', (_, options, message) => {
    expect(() => records(users(), { cursor: null, ...options })).toThrow(InvalidOptionsError);
    expect(() => records(users(), { cursor: null, ...options })).toThrow(message);
  });

  it.each([0, -1, 1.5, '7'])('typeorm.batches refuses batchSize %j', (batchSize) => {
    const options = { cursor: null, batchSize } as BatchOptions;
    expect(() => typeorm.batches(users(), options)).toThrow(InvalidOptionsError);
    expect(() => typeorm.batches(users(), options)).toThrow(
      /typeorm.batches: option "batchSize" is .*; it must be a whole number, 1 or more$/,
    );
  });

  it('typeorm.records refuses a computed column as the key', () => {
    const prices = dataSource.getRepository(Price);
    expect(() => typeorm.records(prices, { cursor: null, key: 'digits' })).toThrow(
      'no column "digits" for a key. It has: price',
    );
  });

  it('typeorm.records refuses a key that names one column by two names', () => {
    const people = dataSource.getRepository(Person);
    expect(() => typeorm.records(people, { cursor: null, key: ['name.last', 'family_name'] })).toThrow(
      '"family_name" twice',
    );
  });

  it.each(['length', 'list'])('typeorm.records refuses a key without exact text, before any row: %s', async (key) => {
    const measurements = dataSource.getRepository(Measurement);
    const read = pairs(typeorm.records(measurements, { cursor: null, key }));
    await expect(read).rejects.toThrow(InvalidOptionsError);
    await expect(read).rejects.toThrow(new RegExp(`the key column "${key}" \\(.*\\) cannot be paged exactly`));
  });

  it('typeorm.records refuses a key column that only one child class has', () => {
    expect(() => typeorm.records(dataSource.getRepository(Cat), { cursor: null, key: 'lives' })).toThrow('is nullable');
    expect(() => typeorm.records(dataSource.getRepository(Dog), { cursor: null, key: 'lives' })).toThrow(
      'has no column',
    );
  });

  it.each<[Cursor]>([[[1, 2]], [[]], [[null]], [true], [{ id: 1 }]])(
    'R8: typeorm.records refuses the cursor %j for a key of one column',
    (cursor) => {
      expect(() => records(users(), { cursor })).toThrow(InvalidCursorError);
      expect(() => records(users(), { cursor })).toThrow(
        `the cursor ${JSON.stringify(cursor)} is not one of the key (id)`,
      );
    },
  );
});

async function column(sql: string): Promise<unknown[]> {
  return (await database.query(sql)).map((row) => Object.values(row)[0]);
}

async function pairs<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const found: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) found.push(pair);
  return found;
}

const items = async <Item>(enumerator: Enumerator<Item>) => (await pairs(enumerator)).map(([item]) => item);
const cursors = async (enumerator: Enumerator<unknown>) => (await pairs(enumerator)).map(([, cursor]) => cursor);
const ids = async (enumerator: Enumerator<{ id: number }>) => (await items(enumerator)).map(({ id }) => id);
const texts = async (enumerator: Enumerator<Word>) => (await items(enumerator)).map(({ text }) => text);

async function withWords(
  words: readonly string[],
  work: (repository: Repository<Word>) => Promise<void>,
): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  try {
    const repository = runner.manager.getRepository(Word);
    await repository.deleteAll();
    await repository.insert(words.map((text) => ({ text })));
    await work(repository);
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
}

async function fill(): Promise<void> {
  const plans = ['free', 'pro', 'team', 'pro', 'free'];
  await dataSource.getRepository(User).insert(
    Array.from({ length: 30 }, (_, index) => ({
      name: `n${(index * 7) % 4}`,
      plan: plans[index % plans.length],
      nickname: index % 3 === 0 ? null : `nick${index}`,
      deletedAt: index % 8 === 2 ? new Date() : null,
    })),
  );
  await database.query(`INSERT INTO post (title, author_id)
    SELECT chr(97 + n % 3), 1 + n * n % 13 FROM generate_series(1, 60) n`);
  await database.query(`INSERT INTO big SELECT 9223372036854775807 - n FROM generate_series(0, 9) n
    UNION ALL VALUES (1), (-9007199254740993), (9007199254740992), (9007199254740993), (10), (9)`);
  await database.query('INSERT INTO uuid SELECT gen_random_uuid() FROM generate_series(1, 40)');
  const odd = [
    '',
    ' ',
    "'",
    '"',
    '\\',
    '%',
    ':after',
    '$1',
    '\u0001',
    '\n',
    'é',
    'e\u0301',
    'ß',
    '\ud83d\ude00',
    '日本',
    '[1]',
    'null',
    '1',
    '10',
    '9',
  ];
  await dataSource.getRepository(Word).insert(odd.map((text) => ({ text })));
  await database.query(`INSERT INTO seat SELECT h, n, r::text FROM unnest(ARRAY['A', 'A_1', 'A_1_1', 'B']) h,
    generate_series(1, 4) n, unnest(ARRAY['1', '1_1', '2', '2_1']) r`);
  await database.query(`INSERT INTO measuring.measurement
      (created_at, local, day, clock, amount, ratio, small, big, flag, code, level, bytes, secret, length, list)
    SELECT timestamptz '2026-03-29 00:59:59.95Z' + n * interval '100 microseconds',
      timestamp '2026-03-29 01:59:59.9999' + (n / 3) * interval '1 microsecond',
      date '2026-11-01' + n % 5, time '12:00' + (n % 7) * interval '1 microsecond',
      1.000000000000000000001 * (n % 50), 1 / (1 + n % 50)::float8 - 0.1, (1 / (1 + n % 50)::float8)::real, 9007199254740992 + n % 50,
      n % 2 = 0, repeat('x', n % 4), (ARRAY['low', 'middle', 'high'])[1 + n % 3]::measuring.measurement_level_enum,
      decode(lpad(to_hex(n % 50 * 131), 6, '0'), 'hex'), 100 - n % 50, interval '1 day' * n, ARRAY[n]
    FROM generate_series(1, 1000) n ORDER BY n`);
  await database.query(`INSERT INTO measuring.measurement
      (created_at, local, day, clock, amount, ratio, small, big, flag, code, level, bytes, secret, length, list)
    SELECT now(), t::timestamp, '2026-01-01', '12:00', 1, r::float8, 1, 1, true, '', 'low', '', 1, '1 day', '{}'
    FROM unnest(ARRAY['infinity', '-infinity', '0044-03-15 12:00:00.123456 BC', '12026-01-01 00:00:00.000001', '2026-01-01']) t,
      unnest(ARRAY['NaN', 'Infinity', '-Infinity', '0', '-0', '1e-320', '0.1', '1e308']) r`);
  await database.query(
    `INSERT INTO instant SELECT timestamptz '2026-01-01' + n * interval '100 microseconds' FROM generate_series(1, 100) n`,
  );
  await database.query(`INSERT INTO person ("passportCountry", "passportNumber", first, family_name, note)
    SELECT chr(65 + n % 3), n, 'f' || n, 'l' || n % 4, CASE WHEN n % 2 = 0 THEN 'note' || n END
    FROM generate_series(1, 25) n`);
  await dataSource.getRepository(Price).insert([1, 99, 100, 950, 1000, 9999].map((price) => ({ price })));
  for (const [id, kind] of ['Cat', 'Dog', 'Cat', 'Dog', 'Cat'].entries()) {
    await (kind === 'Cat'
      ? dataSource.getRepository(Cat).insert({ lives: 9 - id / 2 })
      : dataSource.getRepository(Dog).insert({}));
  }
}
