import fc from 'fast-check';
import type { KeyColumn } from '../../lib/enumerators/contract/index.js';
import type { Driver } from './typeorm-drivers.js';
import type { DeclaredColumn } from './typeorm-mismatch.js';

/** A column of a table, and values of it as SQL. */
interface RealColumn {
  readonly type: string;
  readonly values: readonly string[];
}

interface Column {
  readonly declared: DeclaredColumn;
  readonly real: RealColumn;
  /** Whether the table lets it be NULL. */
  readonly nullable: boolean;
  readonly part: KeyColumn;
}

/** One generated pair of an entity and a table, and how it is read. */
export interface MismatchCase {
  readonly columns: readonly Column[];
  /** For each row, the index of its value in each column; an index beyond the last value is NULL, where allowed. */
  readonly rows: readonly (readonly number[])[];
  readonly zone: string;
  readonly pageSize: number;
  readonly stops: readonly number[];
}

export function mismatchCases(family: Driver['family']): fc.Arbitrary<MismatchCase> {
  const column = (name: string) =>
    fc
      .record({
        declared: fc.constantFrom(...DECLARED[family]),
        real: fc.constantFrom(...REAL[family]),
        isNullable: fc.boolean(),
        nullable: fc.boolean(),
        order: fc.constantFrom('asc' as const, 'desc' as const),
        nulls: fc.constantFrom('first' as const, 'last' as const),
        hasNulls: fc.boolean(),
      })
      .map(
        ({ declared, real, isNullable, nullable, order, nulls, hasNulls }): Column => ({
          declared: { type: declared, nullable: isNullable },
          real,
          nullable,
          // A column that the entity declares nullable needs a position of its NULLs.
          part: { column: name, order, ...((isNullable || hasNulls) && { nulls }) },
        }),
      );
  const columns = fc.oneof(fc.tuple(column('c0')), fc.tuple(column('c0'), column('c1')));
  const row = fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 9 }));
  return fc.record({
    columns,
    rows: fc.array(row, { minLength: 1, maxLength: 14 }),
    zone: fc.constantFrom('+00:00', '+05:45', '-03:30', 'Europe/Berlin'),
    pageSize: fc.constantFrom(1, 2, 3, 5, 100),
    stops: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
  });
}

const text = (value: string) => `'${value}'`;
const quoted = (values: readonly string[]) => values.map(text);
const INTEGERS = ['0', '-1', '1', '2', '127', '-128', '16', '9', '10'];
const LARGE = ['0', '-1', ...[0, 1, 2, 3, 4].map((n) => `900719925474099${n}`), '9223372036854775807'];
const DECIMALS = [
  '0',
  '-1.5',
  '10',
  '9',
  ...[1, 2, 3].map((n) => `1.0000000000000000000${n}`),
  '16777216.01',
  '16777216.02',
];
const DOUBLES = ['0', '0.1', '-0.1', '1e-300', '1.7e300', '9007199254740993', '16777217', '0.3333333333333333'];
const TEXTS = quoted(['', ' ', 'a', 'A', 'a ', 'á', 'ss', 'ß', '10', '9', '😀', '😁', 'null', '1.0']);
const DAYS = quoted(['2026-10-25', '2026-03-29', '2026-01-01', '1999-12-31', '2026-10-26']);
const MOMENTS = quoted([
  ...[0, 1, 999, 1_000].map((us) => `2026-10-25 02:30:00.${String(us).padStart(6, '0')}`),
  ...['2026-10-25 02:00:00', '2026-10-25 03:00:00', '2026-03-29 01:59:59', '2026-03-29 03:00:00'],
]);
const UUIDS = quoted(['0', 'a', 'f', '1'].map((digit) => `${digit}0000000-0000-4000-8000-00000000000${digit}`));

const REAL: Readonly<Record<Driver['family'], readonly RealColumn[]>> = {
  postgresql: [
    { type: 'smallint', values: INTEGERS },
    { type: 'integer', values: INTEGERS },
    { type: 'bigint', values: LARGE },
    { type: 'numeric(32,20)', values: DECIMALS.slice(0, 7) },
    { type: 'numeric', values: [...DECIMALS, "'NaN'"] },
    { type: 'real', values: ['0', '0.1', '16777216', '16777218', '1e-30', "'Infinity'", "'NaN'"] },
    { type: 'double precision', values: [...DOUBLES, "'-Infinity'"] },
    { type: 'text', values: TEXTS },
    { type: 'text COLLATE "C"', values: TEXTS },
    { type: 'varchar(20) COLLATE "und-x-icu"', values: TEXTS },
    { type: 'text COLLATE folded', values: TEXTS },
    { type: 'char(5)', values: TEXTS },
    { type: 'citext', values: TEXTS },
    { type: 'level', values: quoted(['zero', 'alpha', 'middle']) },
    { type: 'level_domain', values: quoted(['zero', 'alpha', 'middle']) },
    { type: 'price_domain', values: DECIMALS },
    { type: 'boolean', values: ['true', 'false'] },
    { type: 'uuid', values: UUIDS },
    { type: 'date', values: DAYS },
    { type: 'time', values: quoted(['02:30:00.000001', '02:30:00', '23:59:59.999999']) },
    { type: 'timestamp', values: MOMENTS },
    { type: 'timestamptz', values: [...MOMENTS, "'2026-10-25 00:30+00'", "'2026-10-25 01:30+00'"] },
    { type: 'bytea', values: quoted(['\\x00', '\\x', '\\xff00', '\\x61']) },
    { type: 'jsonb', values: quoted(['1', '"a"', '{}', '[1]', 'null', '10']) },
    { type: 'json', values: quoted(['1', '"a"']) },
    { type: 'interval', values: quoted(['1 day', '24 hours', '1 month', '30 days']) },
    { type: 'integer[]', values: quoted(['{1}', '{2}', '{10}']) },
    { type: 'int4range', values: quoted(['[1,2)', '[1,10)']) },
    { type: 'money', values: ["'1'", "'2'"] },
    { type: 'inet', values: quoted(['10.0.0.1', '10.0.0.2', '9.0.0.0/8']) },
  ],
  mariadb: [
    { type: 'tinyint', values: INTEGERS },
    { type: 'smallint', values: INTEGERS },
    { type: 'int', values: INTEGERS },
    { type: 'int unsigned zerofill', values: ['0', '1', '10', '9', '4294967295'] },
    { type: 'bigint', values: LARGE },
    { type: 'bigint unsigned', values: ['0', '18446744073709551615', '18446744073709551614', '9007199254740993'] },
    { type: 'decimal(38,20)', values: DECIMALS },
    { type: 'float', values: ['0', '0.1', '16777216', '16777218', '1e-30'] },
    { type: 'double', values: DOUBLES },
    { type: 'double(12,2)', values: ['0', '0.1', '0.11', '-5.25', '100'] },
    { type: 'varchar(20) COLLATE utf8mb4_unicode_ci', values: TEXTS },
    { type: 'varchar(20) COLLATE utf8mb4_bin', values: [...TEXTS, "'a\\0'", "'a\\t'"] },
    { type: 'varchar(20) COLLATE utf8mb4_nopad_bin', values: [...TEXTS.slice(0, 7), "'a\\0'", "'a\\0\\0'"] },
    { type: 'varchar(20) COLLATE utf8mb4_general_nopad_ci', values: [...TEXTS.slice(0, 7), "'a\\0'", "'a\\0b'"] },
    { type: 'varchar(20) COLLATE utf8mb4_unicode_nopad_ci', values: [...TEXTS.slice(0, 7), "'a\\0'", "'\\0'"] },
    { type: 'varchar(20) CHARACTER SET latin1', values: quoted(['a', 'A', 'é', 'e', 'z ', 'ß']) },
    { type: 'char(6) COLLATE utf8mb4_general_ci', values: TEXTS },
    { type: 'char(6) COLLATE utf8mb4_nopad_bin', values: TEXTS },
    {
      type: 'text COLLATE utf8mb4_unicode_ci',
      values: [...TEXTS.slice(0, 6), "CONCAT(REPEAT('x', 1100), 'a')", "CONCAT(REPEAT('x', 1100), 'b')"],
    },
    { type: 'text COLLATE utf8mb4_nopad_bin', values: [...TEXTS.slice(0, 6), "'a\\0'"] },
    { type: 'json', values: quoted(['10', '9', '"a"', '{}', '[1]']) },
    { type: "enum('open','closed','10','9')", values: quoted(['open', 'closed', '10', '9']) },
    { type: "set('a','b')", values: quoted(['a', 'b', 'a,b', '']) },
    { type: 'date', values: DAYS },
    { type: 'datetime(6)', values: MOMENTS },
    { type: 'datetime', values: MOMENTS },
    {
      type: 'timestamp(6) NULL',
      values: ['FROM_UNIXTIME(1792886400)', 'FROM_UNIXTIME(1792890000)', 'FROM_UNIXTIME(1792888200)'],
    },
    { type: 'time(6)', values: quoted(['02:30:00.000001', '-02:30:00', '838:59:59', '00:00:00']) },
    { type: 'year', values: ['1901', '2026', '2155'] },
    { type: 'uuid', values: UUIDS },
    { type: 'varbinary(9)', values: ["'a'", "'a\\0'", "'a\\0\\0'", "''", "'A'"] },
    { type: 'blob', values: ["'a'", "'a\\0'", "''", "CONCAT(REPEAT('x', 1100), 'a')"] },
    { type: 'bit(8)', values: ['1', '2', '255'] },
  ],
  sqlite: [
    '',
    'INTEGER',
    'INT',
    'bigint',
    'TEXT',
    'varchar(9)',
    'TEXT COLLATE NOCASE',
    'varchar COLLATE RTRIM',
    'REAL',
    'NUMERIC',
    'decimal(9,2)',
    'datetime',
    'boolean',
    'BLOB',
  ].map((type) => ({
    type,
    values: [
      ...INTEGERS.slice(0, 5),
      "'5'",
      '5',
      '1.5',
      '9007199254740993',
      '9007199254740994',
      '9e999',
      "'a'",
      "'A'",
      "'a '",
      "'10'",
      "x'61'",
      "x'00'",
      "'a' || char(0)",
      ...MOMENTS.slice(0, 2),
    ],
  })),
};

const DECLARED: Readonly<Record<Driver['family'], readonly DeclaredColumn['type'][]>> = {
  postgresql: [
    'int',
    'bigint',
    'numeric',
    'real',
    'double precision',
    'text',
    'varchar',
    'uuid',
    'timestamp',
    'timestamptz',
    'date',
    'boolean',
    'jsonb',
    'bytea',
  ],
  mariadb: [
    'int',
    'tinyint',
    'bigint',
    'decimal',
    'float',
    'double',
    'varchar',
    'text',
    'datetime',
    'timestamp',
    'date',
    'enum',
    'json',
    'varbinary',
  ],
  sqlite: ['int', 'bigint', 'decimal', 'double', 'varchar', 'text', 'datetime', 'boolean', 'blob'],
};
