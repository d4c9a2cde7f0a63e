import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { At, Enumerator, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { InvalidOptionsError } from '../../lib/iteration.errors.js';
import { createMariaDatabase, type TestMariaDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { versionOf } from '../support/instead.js';
import { MariaPart, MariaThing, SqlitePart, SqliteThing } from '../support/typeorm-things.js';

const typeorm = new TypeOrmEnumeratorBuilder();
const ROWS = 40;

/** Texts that some collations treat as equal, or sort in an unusual order. */
const TEXTS = [
  '',
  ' ',
  'a',
  'A',
  'a ',
  'á',
  'Á',
  'a\t',
  'b',
  'B ',
  'ss',
  'ß',
  'z',
  'Z',
  '_',
  '%',
  "'",
  '"',
  '\\',
  'ä',
  'ö',
];
const DOUBLES = [
  0,
  -0,
  0.1,
  0.1 + 0.2,
  1 / 3,
  -1 / 3,
  1e-320,
  5e-324,
  1.7976931348623157e308,
  123456789012345680000,
  2 ** 53,
];
const FLOATS = [0, 0.1, 1 / 3, -1 / 3, 1e-40, 3.4028234e38, 16_777_217, 1e10];
const at = (us: number) => `2026-03-29 01:59:59.${String(us).padStart(6, '0')}`;
const pick = <Value>(values: readonly Value[], index: number) => values[index % values.length] as Value;
const uuid = (n: number) =>
  `${pick(['0', 'a', 'f'], n)}0000000-${n % 7}000-${n % 2 ? 4 : 1}000-8000-00000000000${n % 10}`;

describe.skipIf(!process.env.MARIADB_URL)('typeorm on MariaDB', () => {
  let database: TestMariaDatabase;
  let dataSource: DataSource;
  const options = (): DataSourceOptions => ({
    type: 'mariadb',
    url: database.url,
    charset: 'utf8mb4', // TypeORM 0.3 has another one by default
    entities: [MariaThing, MariaPart],
  });

  beforeAll(async () => {
    database = await createMariaDatabase();
    dataSource = await new DataSource({ ...options(), synchronize: true } as DataSourceOptions).initialize();
    await database.query(`SET sql_mode = ''; INSERT INTO thing VALUES ?`, [
      Array.from({ length: ROWS }, (_, n) => [
        ...[
          String(18446744073709551615n - BigInt(n * 3)),
          (n % 5) - 2,
          n % 2,
          n * 7 * 1000,
          String(9007199254740992n + BigInt(n % 6)),
        ],
        `${n % 2 ? '-' : ''}${'9'.repeat(34)}.${String(n % 5).padStart(30, '0')}`,
        `${n % 2 ? '-' : ''}${'9'.repeat(63)}${n % 10}`,
        ...[
          pick(TEXTS, n),
          pick(TEXTS, n),
          pick(TEXTS, n),
          pick(TEXTS, n),
          pick(TEXTS, n).slice(0, 4),
          pick(TEXTS, n * 5),
        ],
        uuid(n),
        pick(['0000-00-00', '2026-00-00', '2026-03-29', '9999-12-31', '1000-01-01'], n),
        ...[
          at(n % 13),
          at(0).slice(0, 18) + (n % 10),
          `${n % 2 ? '-' : ''}838:59:58.${String(n % 7).padStart(6, '0')}`,
        ],
        pick(['zero', 'alpha', 'middle'], n),
        ...[
          pick(FLOATS, n),
          String(pick(DOUBLES, n)),
          Buffer.from([n % 3, 0, 255 - (n % 7)]),
          Buffer.from([n % 3, n % 4]),
        ],
        1901 + ((n * 37) % 200),
        ...[n % 3 ? at(n % 4) : null, n % 4 ? pick(TEXTS, n) : null],
        ...['2026-01-01', 'a', '{}', ''],
      ]),
    ]);
    await database.query('INSERT INTO part SELECT seq, 18446744073709551615 - seq % 7 * 6 FROM seq_1_to_30');
  });

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const things = () => dataSource.getRepository(MariaThing).createQueryBuilder('t').select('t.id');
  const by = (order: string) => async () =>
    (await database.query<{ id: string }>(`SELECT CAST(id AS CHAR) AS id FROM thing ORDER BY ${order}`)).map(
      ({ id }) => id,
    );
  const records = (key?: KeysetOptions['key']) => ({
    build: (where: At) => typeorm.records(things(), { ...where, key, pageSize: 7 }),
    identify: ({ id }: MariaThing) => id,
    stretches: 4,
  });

  itKeepsTheEnumeratorContract('an unsigned bigint beyond 2^63', { size: 'exact', ...records(), expected: by('id') });
  for (const name of [
    ...[
      'tiny',
      'flag',
      'medium',
      'big',
      'price',
      'whole',
      'folded',
      'padded',
      'unpadded',
      'swedish',
      'code',
      'note',
      'uuid',
    ],
    ...['day', 'moment', 'second', 'clock', 'level', 'single', 'ratio', 'bytes', 'fixed', 'year'],
  ]) {
    itKeepsTheEnumeratorContract(`a column of another type: ${name}`, {
      size: 'exact',
      ...records(name),
      expected: by(`\`${name}\`, id`),
    });
  }
  itKeepsTheEnumeratorContract('mixed directions', {
    size: 'exact',
    ...records([{ column: 'folded', order: 'desc' }, 'level', { column: 'moment', order: 'desc' }]),
    expected: by('folded DESC, level, moment DESC, id DESC'),
  });
  itKeepsTheEnumeratorContract('columns with NULLs', {
    size: 'exact',
    ...records([
      { column: 'nickname', order: 'desc', nulls: 'first' },
      { column: 'seen', order: 'asc', nulls: 'last' },
    ]),
    expected: by('nickname IS NULL DESC, nickname DESC, seen IS NULL, seen, id'),
  });
  itKeepsTheEnumeratorContract('batches', {
    size: 'exact',
    build: (where) => typeorm.batches(things(), { ...where, key: 'folded', batchSize: 7 }),
    identify: (batch: MariaThing[]) => batch.map(({ id }) => id),
    records: (batch) => batch.map(({ id }) => id),
    expected: async () => inBatches(await by('folded, id')(), 7),
    stretches: 4,
  });
  itKeepsTheEnumeratorContract('a left join that multiplies rows', {
    size: 'exact',
    build: (where) =>
      typeorm.records(things().leftJoinAndSelect('t.parts', 'p').where('t.level <> :level', { level: 'zero' }), {
        ...where,
        key: [{ column: 'seen', order: 'desc', nulls: 'last' }],
        pageSize: 3,
      }),
    identify: ({ id, parts }: MariaThing) => [id, ...parts.map((part) => part.id).sort((a, b) => a - b)].join(' '),
    expected: async () =>
      (
        await database.query<{
          line: string;
        }>(`SELECT CONCAT_WS(' ', t.id, GROUP_CONCAT(p.id ORDER BY p.id SEPARATOR ' ')) AS line
        FROM thing t LEFT JOIN part p ON p.thingId = t.id WHERE t.level <> 'zero' GROUP BY t.id ORDER BY seen DESC, t.id DESC`)
      ).map(({ line }) => line),
    stretches: 4,
  });

  it('typeorm.records orders an enum by the position of its values, as MariaDB does', async () => {
    const levels = await items(
      typeorm.records(things().addSelect('t.level'), { cursor: null, key: 'level', pageSize: 7 }),
    );
    expect([...new Set(levels.map(({ level }) => level))]).toEqual(['zero', 'alpha', 'middle']);
  });

  it.each<[string, object]>([
    ['dateStrings', { dateStrings: true }],
    ['a time zone', { timezone: '-03:30' }],
    ['rounded big numbers', { supportBigNumbers: false, bigNumberStrings: false }],
    ['a typeCast', { extra: { typeCast: castTinyToBoolean } }],
  ])('cursors do not depend on options of the driver: %s', async (_, driverOptions) => {
    const other = await new DataSource({ ...options(), ...driverOptions } as DataSourceOptions).initialize();
    try {
      for (const key of ['flag', 'big', 'price', 'day', 'moment', 'clock', 'ratio']) {
        const theirs = typeorm.records(other.getRepository(MariaThing), { cursor: null, key });
        expect(await cursors(theirs)).toEqual(await cursors(typeorm.records(things(), { cursor: null, key })));
      }
    } finally {
      await other.destroy();
    }
  });

  it.each([
    ['stamp', 'compared in the time zone of the session'],
    ['set', 'a set of bits'],
  ])('typeorm.records refuses the key %s before the first row, and says why', async (key, reason) => {
    const read = items(typeorm.records(things(), { cursor: null, key }));
    await expect(read).rejects.toThrow(InvalidOptionsError);
    await expect(read).rejects.toThrow(reason);
  });

  /** The rows by a text key, over a connection in latin1. */
  async function inLatin1(connectorPackage: 'mysql' | 'mysql2', key: string): Promise<readonly unknown[]> {
    const latin = await new DataSource({
      ...options(),
      type: 'mysql',
      connectorPackage,
      charset: 'LATIN1_SWEDISH_CI',
    } as unknown as DataSourceOptions).initialize();
    try {
      return await items(typeorm.records(latin.getRepository(MariaThing), { cursor: null, key }));
    } finally {
      await latin.destroy();
    }
  }

  it('typeorm.records refuses a text key if the connection cannot carry its characters', async () => {
    await expect(inLatin1('mysql2', 'folded')).rejects.toThrow(
      "the connection's character set is latin1, which changes some texts",
    );
    expect((await inLatin1('mysql2', 'swedish')).length).toBe(ROWS);
  });

  // TypeORM 1 uses mysql2 alone.
  if (versionOf('typeorm').startsWith('0.3')) {
    it("typeorm.records refuses a text key if the driver misreads the connection's character set", async () => {
      await expect(inLatin1('mysql', 'swedish')).rejects.toThrow(
        "the driver misreads texts in latin1, the connection's character set. Set charset: 'utf8mb4'",
      );
    });
  }

  it('typeorm.records refuses a CHAR with a NO PAD collation', async () => {
    await expect(items(typeorm.records(things(), { cursor: null, key: 'unpaddedCode' }))).rejects.toThrow(
      '(char in the entity, char(4) in the table) cannot be paged exactly on mariadb. It is a CHAR with a NO PAD collation',
    );
  });

  it('typeorm.records refuses texts longer than the length that MariaDB sorts by', async () => {
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query(`UPDATE thing SET note = REPEAT('x', 161) WHERE id = 18446744073709551615`);
      const query = dataSource.getRepository(MariaThing).createQueryBuilder('t', runner);
      await expect(items(typeorm.records(query, { cursor: null, key: 'note' }))).rejects.toThrow(
        'at most 160 characters are exact',
      );
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });

  it.each([
    ['ascending', [{ column: 'moment', order: 'asc' }], 'moment'],
    ['descending', [{ column: 'moment', order: 'desc' }], 'moment'],
    ['with NULLs', [{ column: 'seen', order: 'asc', nulls: 'last' }], 'seen'],
  ] as const)('typeorm.records enters the index at the cursor, %s', async (_, key, column) => {
    await database.query(`CREATE OR REPLACE INDEX entered ON thing (${column}, id)`);
    const where = (await cursors(typeorm.records(things(), { cursor: null, key })))[20] as Cursor;
    const seen: [string, unknown[]][] = [];
    const log = dataSource.logger.logQuery;
    dataSource.logger.logQuery = (sql, parameters = []) => void seen.push([sql, parameters as unknown[]]);
    try {
      await items(typeorm.records(things(), { cursor: where, key, pageSize: 3 }));
    } finally {
      dataSource.logger.logQuery = log;
    }
    const pages = seen.filter(([sql]) => sql.includes('LIMIT'));
    expect(pages.length).toBeGreaterThan(1);
    for (const [sql, parameters] of pages) {
      const page = sql.replace('`thing` `t`', '`thing` `t` FORCE INDEX (entered)');
      const [plan] = await database.query<{ type: string; key: string; Extra: string }>(`EXPLAIN ${page}`, parameters);
      expect(plan).toMatchObject({ key: 'entered', type: expect.stringMatching(/range|ref/) });
      expect(plan?.Extra).not.toContain('filesort');
    }
  });
});

describe('typeorm on SQLite', () => {
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await new DataSource({
      type: 'sqljs',
      entities: [SqliteThing, SqlitePart],
      synchronize: true,
    }).initialize();
    for (let n = 0; n < ROWS; n++) {
      const values = [
        ...[String(9007199254740993n + BigInt(n * 3)), n % 5, n % 2, String(9223372036854775807n - BigInt(n % 6))],
        ...[pick(DOUBLES, n), Math.fround(pick(FLOATS, n)), pick([...DOUBLES, Infinity, -Infinity], n)],
        ...[pick(TEXTS, n), pick(TEXTS, n), pick(TEXTS, n), uuid(n)],
        ...[`2026-01-0${1 + (n % 5)}`, at(n % 13), `12:00:00.00000${n % 7}`, pick(['zero', 'alpha', 'middle'], n)],
        new Uint8Array([n % 3, 0, 255 - (n % 7)]),
        pick([1, 1.5, '9007199254740993', 'text', '', -3, '9e999', '0123x', 9007199254740992], n),
        ...[n % 3 ? at(n % 4) : null, n % 4 ? pick(TEXTS, n) : null],
      ];
      await dataSource.query(`INSERT INTO thing VALUES (${values.map(() => '?').join(', ')})`, values);
    }
    for (let n = 1; n <= 30; n++) {
      await dataSource.query('INSERT INTO part VALUES (?, ?)', [n, String(9007199254740993n + BigInt((n % 7) * 6))]);
    }
  });

  afterAll(async () => {
    await dataSource?.destroy();
  });

  const things = () => dataSource.getRepository(SqliteThing).createQueryBuilder('t').select('t.id');
  const select = async (sql: string) => (await dataSource.query(sql)) as Record<string, string>[];
  /** The driver rounds integers beyond 2^53, such as the entity's id. */
  const by = (order: string) => async () =>
    (await select(`SELECT CAST(id AS TEXT) AS id FROM thing ORDER BY ${order}`)).map(({ id }) => Number(id));
  const records = (key?: KeysetOptions['key']) => ({
    build: (where: At) => typeorm.records(things(), { ...where, key, pageSize: 7 }),
    identify: ({ id }: SqliteThing) => Number(id),
    stretches: 4,
  });

  itKeepsTheEnumeratorContract('a bigint beyond 2^53', { size: 'exact', ...records(), expected: by('id') });
  for (const name of [
    ...[
      'plain',
      'flag',
      'big',
      'price',
      'single',
      'ratio',
      'exact',
      'folded',
      'padded',
      'uuid',
      'day',
      'moment',
      'clock',
    ],
    ...['level', 'bytes', 'mixed'],
  ]) {
    itKeepsTheEnumeratorContract(`a column of another type: ${name}`, {
      size: 'exact',
      ...records(name),
      expected: by(`${name}, id`),
    });
  }
  itKeepsTheEnumeratorContract('mixed directions', {
    size: 'exact',
    ...records([{ column: 'folded', order: 'desc' }, 'level', { column: 'mixed', order: 'desc' }]),
    expected: by('folded DESC, level, mixed DESC, id DESC'),
  });
  itKeepsTheEnumeratorContract('columns with NULLs', {
    size: 'exact',
    ...records([
      { column: 'nickname', order: 'desc', nulls: 'first' },
      { column: 'seen', order: 'asc', nulls: 'last' },
    ]),
    expected: by('nickname DESC NULLS FIRST, seen NULLS LAST, id'),
  });
  itKeepsTheEnumeratorContract('batches', {
    size: 'exact',
    build: (where) => typeorm.batches(things(), { ...where, key: 'folded', batchSize: 7 }),
    identify: (batch: SqliteThing[]) => batch.map(({ id }) => Number(id)),
    records: (batch) => batch.map(({ id }) => id),
    expected: async () => inBatches(await by('folded, id')(), 7),
    stretches: 4,
  });
  itKeepsTheEnumeratorContract('a left join that multiplies rows', {
    size: 'exact',
    build: (where) =>
      typeorm.records(things().leftJoinAndSelect('t.parts', 'p').where('t.level <> :level', { level: 'zero' }), {
        ...where,
        key: [{ column: 'seen', order: 'desc', nulls: 'last' }],
        pageSize: 3,
      }),
    identify: ({ id, parts }: SqliteThing) =>
      [Number(id), ...parts.map((part) => part.id).sort((a, b) => a - b)].join(),
    expected: async () =>
      (
        await select(`SELECT CAST(t.id AS TEXT) AS id, group_concat(p.id, ',' ORDER BY p.id) AS parts
        FROM thing t LEFT JOIN part p ON p.thingId = t.id WHERE t.level <> 'zero' GROUP BY t.id ORDER BY seen DESC, t.id DESC`)
      ).map(({ id, parts }) => [Number(id), ...(parts ? [parts] : [])].join()),
    stretches: 4,
  });

  it('typeorm.records refuses a text with a NUL character, at which the driver cuts it off', async () => {
    await dataSource.query(`UPDATE thing SET exact = 'a' || char(0) || 'b' WHERE plain = 1`);
    await expect(items(typeorm.records(things(), { cursor: null, key: 'exact' }))).rejects.toThrow(
      'A text must not hold characters of code 0',
    );
  });
});

async function items<Item>(enumerator: Enumerator<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const [item] of enumerator) found.push(item);
  return found;
}

async function cursors(enumerator: Enumerator<unknown>): Promise<Cursor[]> {
  const found: Cursor[] = [];
  for await (const [, cursor] of enumerator) found.push(cursor);
  return found;
}

function inBatches<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}

function castTinyToBoolean(field: { type: string; string(): string | null }, next: () => unknown): unknown {
  return field.type === 'TINY' ? field.string() === '1' : next();
}
