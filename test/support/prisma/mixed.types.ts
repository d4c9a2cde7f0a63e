import fc from 'fast-check';

export type DatabaseName = 'postgresql' | 'mariadb' | 'sqlite';

/** The actual column of a field, which may differ from the model. */
export interface MixedColumn {
  readonly field: string;
  readonly type: RealType;
  readonly nullable: boolean;
}

export interface RealType {
  readonly sql: string;
  /** SQL literals of values that it can hold. */
  readonly values: fc.Arbitrary<string>;
}

/** The actual types that the column of a field may have. */
export type RealTypes = Readonly<Record<string, readonly RealType[]>>;

const type = (sql: string, values: fc.Arbitrary<string>): RealType => ({ sql, values });
const among = (...values: readonly (string | number)[]) => fc.constantFrom(...values.map(String));

const SMALL = fc.integer({ min: -3, max: 3 }).map(String);
const COUNTS = fc.integer({ min: 0, max: 5 }).map(String);
const INTS = fc.oneof(SMALL, among(2_147_483_647, -2_147_483_648));
const WIDE = fc.oneof(SMALL, among('9007199254740993', '9007199254740992', '-9007199254740993', '9223372036854775807'));
const HUGE = fc.oneof(COUNTS, among('18446744073709551615', '9223372036854775808', '9223372036854775807'));
const CENTS = among('-0.10', '0.10', '0.20', '0.30', '1.00', '1.10', '123456.78');
const TINY = fc.integer({ min: -3, max: 3 }).map((n) => `${n < 0 ? '-' : ''}1.0000000000000000000${Math.abs(n)}`);
const DOUBLES = among(
  '0',
  '-1.5',
  '0.1',
  '0.30000000000000004',
  '0.3',
  '1e300',
  '5e-324',
  '1.7976931348623157e308',
  '3',
);
const SINGLES = among('0', '-1.5', '0.1', '0.3', '16777216', '3.4e38');
const NUMBERS = among('1', '2', '10', '-1', '1.5', '2e2');
const BITS = among(0, 1);
const MOMENTS = among(
  ...["'2026-01-01 00:00:00'", "'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000999'"],
  ...["'2026-01-01 00:00:00.001'", "'2026-01-01 12:00:00.123456'", "'1999-12-31 23:59:59.999999'"],
);
const DAYS = among("'2026-01-01'", "'2026-01-02'", "'1999-12-31'");
const TIMES = among("'07:00'", "'07:00:00.000001'", "'23:59:59'");
const MOODS = among("'loud'", "'calm'");
const UUIDS = fc.integer({ min: 0, max: 4 }).map((n) => `'${n}0000000-0000-4000-8000-00000000000${4 - n}'`);

const WORDS = [
  '',
  ' ',
  'a',
  'A',
  'a ',
  'a  ',
  'aa',
  'ä',
  'b',
  'B',
  'ß',
  'ss',
  '日',
  '😀',
  '%',
  "'",
  '\\',
  '10',
  '9',
  'e\u0301',
  'é',
];
const LONG = [0, 1, 2, 3].map((n) => `${'x'.repeat(1_200)}${n}`);
const HALF = ['y'.repeat(159), `${'y'.repeat(159)}a`, `${'ẞ'.repeat(100)}1`, `${'ẞ'.repeat(100)}2`];
const NULS = ['a\0', 'a', 'a\0\0', 'a\0b', '\0', 'a\t'];
const LATIN = WORDS.filter((word) => /^[\0-\xff]*$/.test(word));
const ASCII = WORDS.filter((word) => /^[\0-\x7f]*$/.test(word));
const BASIC = WORDS.filter((word) => !/[\u{10000}-\u{10ffff}]/u.test(word));
const FIVE = WORDS.filter(({ length }) => length <= 5);

const quoted = (words: readonly string[]) => among(...words.map((word) => `'${word.replaceAll("'", "''")}'`));
const hex = (word: string) => Buffer.from(word).toString('hex');
const converted = (words: readonly string[]) => among(...words.map((word) => `CONVERT(X'${hex(word)}' USING utf8mb4)`));
const asText = (words: readonly string[]) => among(...words.map((word) => `CAST(x'${hex(word)}' AS TEXT)`));

const POSTGRES_INTEGERS = [
  type('int4', INTS),
  type('int2', SMALL),
  type('int8', WIDE),
  type('"Small"', SMALL),
  type('numeric(10, 2)', CENTS),
  type('float8', DOUBLES),
  type('text', quoted(['1', '2', '10'])),
];
const POSTGRES_TEXTS = [
  type('text', quoted(WORDS)),
  type('text COLLATE "C"', quoted([...WORDS, ...LONG])),
  type('text COLLATE "und-x-icu"', quoted(WORDS)),
  type('varchar(10)', quoted(WORDS)),
  type('char(5)', quoted(FIVE)),
  type('uuid', UUIDS),
  type('"Mood"', MOODS),
  type('name', quoted(WORDS)),
  type('inet', among("'10.0.0.1'", "'9.0.0.1'", "'10.0.0.0/8'", "'::1'")),
  type('bit(3)', among("B'001'", "B'100'", "B'010'")),
  type('int4', SMALL),
  type('money', among("'1'", "'10'", "'2'")),
];
const POSTGRES_TIMES = [
  type('timestamp(6)', MOMENTS),
  type('timestamptz(6)', MOMENTS),
  type('timestamp(3)', MOMENTS),
  type('timestamptz(3)', MOMENTS),
  type('timestamp', MOMENTS),
  type('"Milli"', MOMENTS),
  type('date', DAYS),
  type('time(6)', TIMES),
  type('text', quoted(['2026-01-01', '2026-01-02'])),
];
const POSTGRES_NUMBERS = [
  type('float8', DOUBLES),
  type('real', SINGLES),
  type('numeric(30, 20)', TINY),
  type('numeric', fc.oneof(TINY, CENTS)),
  type('int8', WIDE),
  type('int4', SMALL),
];
const POSTGRES: RealTypes = {
  id: [type('int4', COUNTS), type('int8', COUNTS), type('numeric', COUNTS), type('text', COUNTS)],
  int: POSTGRES_INTEGERS,
  maybe: POSTGRES_INTEGERS,
  big: POSTGRES_INTEGERS,
  text: POSTGRES_TEXTS,
  note: POSTGRES_TEXTS,
  uuid: [...POSTGRES_TEXTS, type('uuid', UUIDS)],
  code: POSTGRES_TEXTS,
  vary: POSTGRES_TEXTS,
  flag: [type('boolean', among('true', 'false')), type('int4', SMALL), type('text', MOODS)],
  float: POSTGRES_NUMBERS,
  dec: POSTGRES_NUMBERS,
  at: POSTGRES_TIMES,
  day: POSTGRES_TIMES,
  local: POSTGRES_TIMES,
  zoned: POSTGRES_TIMES,
  mood: [type('"Mood"', MOODS), type('"Other"', MOODS), type('text', MOODS)],
};

const MARIADB_INTEGERS = [
  type('int', INTS),
  type('tinyint', SMALL),
  type('smallint', SMALL),
  type('mediumint', SMALL),
  type('int unsigned', fc.oneof(COUNTS, among('4294967295'))),
  type('bigint', WIDE),
  type('bigint unsigned', HUGE),
  type('year', among(2026, 1999, 2000)),
  type('decimal(10, 2)', CENTS),
  type('double', DOUBLES),
  type('varchar(20)', quoted(['1', '2', '10'])),
];
const MARIADB_TEXTS = [
  ...['utf8mb4_bin', 'utf8mb4_unicode_ci', 'utf8mb4_general_ci', 'utf8mb4_uca1400_ai_ci'].map((collation) =>
    type(`varchar(191) COLLATE ${collation}`, converted([...WORDS, ...HALF, ...NULS])),
  ),
  ...['utf8mb4_nopad_bin', 'utf8mb4_unicode_nopad_ci', 'utf8mb4_general_nopad_ci'].flatMap((collation) => [
    type(`varchar(191) COLLATE ${collation}`, converted([...WORDS, ...HALF])),
    type(`varchar(191) COLLATE ${collation}`, converted(NULS)),
    type(`char(5) COLLATE ${collation}`, converted(FIVE)),
  ]),
  type('varchar(20) CHARACTER SET latin1', converted(LATIN)),
  type('varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci', converted(LATIN)),
  type('varchar(20) CHARACTER SET utf8mb3', converted(BASIC)),
  type('varchar(20) CHARACTER SET ascii', converted(ASCII)),
  type('varchar(20) CHARACTER SET ucs2', converted(BASIC)),
  type('text', converted([...WORDS, ...LONG])),
  type('longtext COLLATE utf8mb4_unicode_ci', converted([...WORDS, ...LONG])),
  type('char(5)', converted(FIVE)),
  type('char(36)', UUIDS),
  type("enum('open', 'closed')", quoted(['open', 'closed'])),
  type("set('a', 'b')", quoted(['a', 'b', 'a,b'])),
  type('varbinary(10)', quoted(['a', 'A', 'a '])),
  type('blob', quoted(['a', 'A', 'a '])),
  type('json', quoted(['1', '"a"', '[2]'])),
  type('uuid', UUIDS),
  type('date', DAYS),
  type('int', SMALL),
];
const MARIADB_NUMBERS = [
  type('double', DOUBLES),
  type('float', SINGLES),
  type('decimal(38, 20)', TINY),
  type('bigint', WIDE),
  type('int', SMALL),
];
const MARIADB_FLAGS = [
  type('tinyint(1)', BITS),
  type('tinyint(1)', SMALL),
  type('bit(1)', BITS),
  type('bit(4)', COUNTS),
  type('int', SMALL),
  type('varchar(5)', quoted(['0', '1', 'yes'])),
];
const MARIADB: RealTypes = {
  id: [type('int', COUNTS), type('bigint', COUNTS), type('decimal(10, 0)', COUNTS), type('varchar(10)', COUNTS)],
  int: MARIADB_INTEGERS,
  maybe: MARIADB_INTEGERS,
  tiny: MARIADB_INTEGERS,
  many: MARIADB_INTEGERS,
  big: MARIADB_INTEGERS,
  huge: MARIADB_INTEGERS,
  text: MARIADB_TEXTS,
  note: MARIADB_TEXTS,
  long: MARIADB_TEXTS,
  code: MARIADB_TEXTS,
  vary: MARIADB_TEXTS,
  flag: MARIADB_FLAGS,
  bit: MARIADB_FLAGS,
  float: MARIADB_NUMBERS,
  dec: MARIADB_NUMBERS,
  at: [type('datetime(6)', MOMENTS), type('timestamp(6)', MOMENTS), type('date', DAYS), type('datetime', MOMENTS)],
  mood: [type("enum('loud', 'calm')", MOODS), type("enum('calm', 'loud')", MOODS), type('varchar(9)', MOODS)],
};

const STORED = fc.oneof(INTS, WIDE, NUMBERS, asText(WORDS), among("x'00'", "x'61'"));
const SQLITE_INTEGERS = [
  type('INTEGER', INTS),
  type('INTEGER', fc.oneof(INTS, STORED)),
  type('INT', WIDE),
  type('BIGINT', WIDE),
  type('TEXT', INTS),
  type('REAL', INTS),
  type('NUMERIC', NUMBERS),
  type('DECIMAL', INTS),
];
const SQLITE_TEXTS = [
  ...['TEXT', 'TEXT COLLATE NOCASE', 'TEXT COLLATE RTRIM', 'VARCHAR(5)'].map((sql) =>
    type(sql, asText([...WORDS, ...LONG, ...NULS])),
  ),
  type('TEXT', STORED),
  type('INTEGER', asText(WORDS)),
  type('BLOB', asText(WORDS)),
  type('BLOB', STORED),
  type('DATETIME', asText(['2026-01-01T00:00:00.000Z', '2026-01-01'])),
];
const SQLITE: RealTypes = {
  id: [type('INTEGER', COUNTS), type('INT', COUNTS), type('TEXT', COUNTS), type('REAL', COUNTS)],
  int: SQLITE_INTEGERS,
  maybe: SQLITE_INTEGERS,
  big: SQLITE_INTEGERS,
  text: SQLITE_TEXTS,
  note: SQLITE_TEXTS,
  flag: [
    type('BOOLEAN', BITS),
    type('BOOLEAN', SMALL),
    type('INTEGER', BITS),
    type('TEXT', BITS),
    type('BOOLEAN', STORED),
  ],
  float: [type('REAL', DOUBLES), type('REAL', STORED), type('INTEGER', WIDE)],
  dec: [type('DECIMAL', DOUBLES), type('TEXT', TINY), type('REAL', SINGLES)],
  at: [type('DATETIME', MOMENTS), type('DATETIME', WIDE), type('TEXT', DAYS)],
  mood: [type('TEXT', MOODS)],
};

export const REAL_TYPES: Readonly<Record<DatabaseName, RealTypes>> = {
  postgresql: POSTGRES,
  mariadb: MARIADB,
  sqlite: SQLITE,
};
