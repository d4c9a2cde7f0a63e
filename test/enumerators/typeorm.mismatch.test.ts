import type { DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import type { KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { InvalidCursorError } from '../../lib/iteration.errors.js';
import { DRIVERS, type DriverName } from '../support/typeorm-drivers.js';
import { type DeclaredColumn, type Followed, follow, mismatched } from '../support/typeorm-mismatch.js';

/** A table that differs from its entity. */
interface Example {
  readonly name: string;
  readonly drivers: readonly DriverName[];
  readonly sql: readonly string[];
  readonly columns: Readonly<Record<string, DeclaredColumn>>;
  readonly key: KeysetOptions['key'];
  readonly options?: object;
  readonly cursor?: Json;
  /** ORDER BY of all rows; otherwise `refused` is a part of the error message. */
  readonly order?: string;
  readonly refused?: string;
  readonly is?: abstract new (...values: never[]) => Error;
}

const MARIA = ['mariadb', 'mysql', 'mysql2'] as const;
const SQLITE = ['sqljs', 'better-sqlite3'] as const;
const table = (column: string, values: readonly string[]) => [
  `CREATE TABLE m (id int NOT NULL PRIMARY KEY, ${column})`,
  `INSERT INTO m VALUES ${values.map((value, index) => `(${index + 1}, ${value})`).join(', ')}`,
];
const of = (type: DeclaredColumn['type'], more: Partial<DeclaredColumn> = {}) => ({ c: { type, ...more } });
const desc = (column: string, nulls?: 'first' | 'last') => [{ column, order: 'desc' as const, nulls }];
const tasks = table('team int NOT NULL, prio int', ['1, 5', '1, NULL', '1, 7', '1, NULL']);
const long = (end: string) => `CONCAT(REPEAT('x', 1100), '${end}')`;
const OCTOBER = Array.from({ length: 18 }, (_, n) => `FROM_UNIXTIME(1792886400 + ${n} * 600)`); // 2026-10-25 00:00 UTC

const EXAMPLES: readonly Example[] = [
  {
    name: 'R1: typeorm.records reads all rows with NULLs first, descending',
    drivers: [...MARIA, ...SQLITE],
    sql: tasks,
    columns: { team: { type: 'int' }, prio: { type: 'int', nullable: true } },
    key: ['team', { column: 'prio', order: 'desc', nulls: 'first' }],
    order: 'team, prio IS NULL DESC, prio DESC, id DESC',
  },
  {
    name: 'R1: typeorm.records refuses a column that is NOT NULL only in the entity',
    drivers: [...MARIA, ...SQLITE],
    sql: table('c int', ['1', 'NULL', '2', 'NULL']),
    columns: of('int'),
    key: desc('c'),
    refused: 'the key column "c" is NOT NULL in the entity, but not in the table m',
  },
  {
    name: 'R1: typeorm.records refuses texts over 1,024 bytes',
    drivers: MARIA,
    sql: table('c text NOT NULL', [long('c'), long('b'), long('a')]),
    columns: of('text'),
    key: 'c',
    refused: 'at most 160 characters are exact',
  },
  {
    name: 'R1: typeorm.records reads a varchar over JSON as text',
    drivers: MARIA,
    sql: table('c json NOT NULL', ["'10'", "'9'", `'"a"'`, "'[1]'", "'true'", "'{}'", `'"10"'`, "'1'"]),
    columns: of('varchar'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records refuses texts that the connection cannot carry',
    drivers: ['mysql', 'mysql2'],
    options: { charset: 'utf8' },
    sql: table('c varchar(20) NOT NULL', ["'a'", "_utf8mb4 x'F09F9880'", "_utf8mb4 x'F09F9881'", "'b'"]),
    columns: of('varchar'),
    key: 'c',
    refused: "is stored in utf8mb4, and the connection's character set is utf8mb3",
  },
  {
    name: 'R1: typeorm.records follows a string over an ENUM in the order of the labels',
    drivers: MARIA,
    sql: table("c ENUM('open','closed') NOT NULL", ["'open'", "'open'", "'closed'", "'closed'"]),
    columns: of('varchar'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows a BIT(1) as a number',
    drivers: MARIA,
    sql: table('c bit(1) NOT NULL', ["b'1'", "b'0'", "b'1'", "b'0'"]),
    columns: of('bit'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows all digits of a double over a DECIMAL',
    drivers: MARIA,
    sql: table(
      'c decimal(38,20) NOT NULL',
      [4, 3, 2, 1].map((n) => `1.0000000000000000000${n}`),
    ),
    columns: of('double'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows all digits of a double over a BIGINT beyond 2^53',
    drivers: MARIA,
    sql: table(
      'c bigint NOT NULL',
      [1, 2, 3, 4].map((n) => `900719925474099${n + 2}`),
    ),
    columns: of('double'),
    key: desc('c'),
    order: 'c DESC, id DESC',
  },
  {
    name: 'R1: typeorm.records follows all digits of an int over a BIGINT',
    drivers: [...MARIA, 'postgres'],
    sql: table(
      'c bigint NOT NULL',
      [1, 2, 3, 4].map((n) => `900719925474099${n + 2}`),
    ),
    columns: of('int'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records refuses a datetime over a TIMESTAMP: DST repeats an hour',
    drivers: MARIA,
    sql: table('c timestamp(6) NOT NULL', OCTOBER),
    columns: of('datetime', { precision: 6 }),
    key: 'c',
    refused: '(datetime in the entity, timestamp(6) in the table) cannot be paged exactly',
  },
  {
    name: 'R1: typeorm.records refuses a NO PAD varchar that ends with NUL',
    drivers: MARIA,
    sql: table('c varchar(9) COLLATE utf8mb4_nopad_bin NOT NULL', ["'a\\0'", "'a'", "'a\\0'", "'a'"]),
    columns: of('varchar'),
    key: 'c',
    refused: 'by a NO PAD collation no text with a character of code 0',
  },
  {
    name: 'R1: typeorm.records refuses a NO PAD varchar that ends with NUL, descending',
    drivers: MARIA,
    sql: table('c varchar(9) COLLATE utf8mb4_general_nopad_ci NOT NULL', ["'a\\0'", "'b'", "'c'", "'a'"]),
    columns: of('varchar'),
    key: desc('c'),
    refused: 'by a NO PAD collation no text with a character of code 0',
  },
  {
    name: 'R1: typeorm.records follows all digits of a real over a numeric',
    drivers: ['postgres'],
    sql: table(
      'c numeric(12,2) NOT NULL',
      [1, 2, 3, 4, 5, 6].map((n) => `16777216.0${n}`),
    ),
    columns: of('real'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows all digits of a float over a numeric of 20 places',
    drivers: ['postgres'],
    sql: table(
      'c numeric(30,20) NOT NULL',
      [1, 2, 3].map((n) => `1.0000000000000000000${n}`),
    ),
    columns: of('float'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows all digits of a double over a bigint beyond 2^53',
    drivers: ['postgres'],
    sql: table(
      'c bigint NOT NULL',
      [1, 2, 3, 4].map((n) => `900719925474099${n + 2}`),
    ),
    columns: of('double precision'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records follows a domain of a domain of an enum in the order of the labels',
    drivers: ['postgres'],
    sql: [
      "CREATE TYPE level AS ENUM ('zero', 'alpha', 'middle')",
      'CREATE DOMAIN one AS level',
      'CREATE DOMAIN two AS one',
      ...table('c two NOT NULL', ["'middle'", "'alpha'", "'zero'", "'alpha'"]),
    ],
    columns: of('varchar'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records refuses citext in a schema outside the search_path',
    drivers: ['postgres'],
    sql: [
      'CREATE SCHEMA far',
      'CREATE EXTENSION citext SCHEMA far',
      ...table('c far.citext NOT NULL', ["'a'", "'B'", "'c'", "'D'"]),
    ],
    columns: of('varchar'),
    key: 'c',
    refused: 'Its operators are in a schema that is not in the search_path',
  },
  {
    name: 'R1: typeorm.records refuses a text key of a table that the catalogue does not show',
    drivers: MARIA,
    sql: table('c varchar(9) NOT NULL', ["'a'", "'b'"]).map((sql) => sql.replace('TABLE', 'TEMPORARY TABLE')),
    columns: of('varchar'),
    key: 'c',
    refused: 'then only columns that are integers in the entity can be keys',
  },
  {
    name: 'R1: typeorm.records follows an integer key of a table that the catalogue does not show',
    drivers: MARIA,
    sql: table('c int NOT NULL', ['2', '1', '2']).map((sql) => sql.replace('TABLE', 'TEMPORARY TABLE')),
    columns: of('int'),
    key: desc('c'),
    order: 'c DESC, id DESC',
  },
  {
    name: 'R1: typeorm.records distinguishes texts and integers in a column without a type',
    drivers: SQLITE,
    sql: table('c NOT NULL', ['5', "'5'", '10', "'10'", '1.5', "'a'", '9']),
    columns: of('integer'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R1: typeorm.records refuses integers beyond 2^53 in a column without a type',
    drivers: SQLITE,
    sql: table('c NOT NULL', ['9007199254740993', '9007199254740994', '9007199254740995']),
    columns: of('bigint'),
    key: 'c',
    refused: 'In the table it has no type',
  },
  {
    name: 'R1: typeorm.records follows an integer over a text column as text',
    drivers: SQLITE,
    sql: table('c text NOT NULL', ['10', '9', '1', '2', '100']),
    columns: of('integer'),
    key: 'c',
    order: 'c, id',
  },
  {
    name: 'R8: typeorm.records refuses a text as the cursor of an integer column',
    drivers: ['postgres', ...MARIA, ...SQLITE],
    sql: table('c integer NOT NULL', ['1', '2']),
    columns: of('varchar'),
    key: 'c',
    cursor: ['abc', 1],
    refused: 'the cursor ["abc",1] has "abc" for the column "c", which is not a value of',
    is: InvalidCursorError,
  },
  {
    name: 'R8: typeorm.records refuses a cursor that holds a rounded number',
    drivers: ['postgres', ...MARIA],
    sql: table('c decimal(38,20) NOT NULL', ['1.00000000000000000001']),
    columns: of('float'),
    key: 'c',
    cursor: [1, 1],
    refused: 'the cursor [1,1] has 1 for the column "c", which is not a value of',
    is: InvalidCursorError,
  },
];

describe.each(Object.entries(DRIVERS))(
  'typeorm.records over tables that differ from their entities: %s',
  (name, driver) => {
    let opened: { options: DataSourceOptions; drop(): Promise<void> };
    beforeAll(async () => {
      opened = await driver.open();
    });
    afterAll(() => opened?.drop());

    const examples = EXAMPLES.filter(({ drivers }) => drivers.includes(name as DriverName));
    for (const { name, sql, columns, key, order, refused, is = Error, options, cursor } of examples) {
      it(name, async () => {
        const { rows, dataSource, close } = await mismatched(
          { ...opened.options, ...options } as DataSourceOptions,
          'm',
          columns,
        );
        try {
          for (const statement of sql) await dataSource.query(statement);
          const all = order
            ? ((await dataSource.query(`SELECT id FROM m ORDER BY ${order}`)) as { id: number }[]).map(({ id }) => id)
            : [];
          for (const pageSize of [1, 2, 1_000]) {
            const followed = await follow(rows, { key, pageSize, stops: [1, 0, 1], limit: 100, cursor });
            if (refused === undefined) expect(followed).toEqual({ ids: all } satisfies Followed);
            else {
              expect(followed.error?.message).toContain(refused);
              expect(followed.error).toBeInstanceOf(is);
            }
          }
        } finally {
          await dataSource.query('DROP TABLE m');
          await close();
        }
      });
    }
  },
);
