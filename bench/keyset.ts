/**
 * A whole job over `enumerators.keyset` of `pg`, with a handler that does nothing, against the bare loop over the same
 * key: one prepared statement, one page after the other (by primary key, pages of 1,000: target >= 0.90 of its speed).
 * The same in pages of 100, by a timestamp of microseconds and id, and by a unique key of two columns; and what a bare
 * loop gains when it requests the next page before it handles the current one. Interleaved, medians of nine rounds, by
 * primary key of twenty-one: single rounds vary.
 *
 * `ROWS=300000` rows by default. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and drops its own
 * database there.
 */
import pg from 'pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { report, type Target } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 300_000);
const ROUNDS = 9;

type Key = number | (number | string)[];

interface Row {
  readonly id: number;
  readonly exact: string;
  readonly shop: number;
  readonly number: number;
}

const database = await createDatabase();
const client = new pg.Client({ connectionString: database.url });
await client.connect();
await client.query(`CREATE TABLE entry AS SELECT n::int AS id, 'name ' || n AS name, (n / 1000)::int AS shop, n::int AS number,
  now() + n * interval '100 microseconds' AS at FROM generate_series(1, ${ROWS}) n`);
await client.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
await client.query('CREATE UNIQUE INDEX ON entry (shop, number)');
await client.query('CREATE UNIQUE INDEX ON entry (at, id)');
await client.query('VACUUM ANALYZE entry');

/** The query by each key, the same for the job and for the bare loop. */
const KEYS = {
  id: {
    first: 0,
    keyOf: ({ id }: Row): Key => id,
    sql: 'SELECT id, name, at FROM entry WHERE id > $1 ORDER BY id LIMIT $2',
  },
  'timestamp and id': {
    first: ['-infinity', 0],
    keyOf: ({ exact, id }: Row): Key => [exact, id],
    sql: `SELECT id, name, at, CAST(at AS text) AS exact FROM entry
      WHERE (at, id) > ($1::timestamptz, $2) ORDER BY at, id LIMIT $3`,
  },
  'two columns': {
    first: [-1, 0],
    keyOf: ({ shop, number }: Row): Key => [shop, number],
    sql: 'SELECT shop, number, name, at FROM entry WHERE (shop, number) > ($1, $2) ORDER BY shop, number LIMIT $3',
  },
} as const;

interface Reading {
  readonly by: keyof typeof KEYS;
  readonly pageSize: number;
}

async function fetch(by: Reading['by'], after: unknown, limit: number): Promise<readonly Row[]> {
  return (await client.query<Row>({ name: by, text: KEYS[by].sql, values: [after, limit].flat() })).rows;
}

@IterativeProcessor({ queue: QUEUE, name: 'rows' })
class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { by, pageSize } }: BuildContext<Reading>) {
    const { first, keyOf } = KEYS[by];
    return this.enumerators.keyset<Row, Key>({
      cursor,
      pageSize,
      key: keyOf,
      fetch: (after, limit) => fetch(by, after ?? first, limit),
    });
  }

  @EachIteration()
  each(_row: Row) {}
}

function handle(_row: Row): void {}

async function bareLoop({ by, pageSize }: Reading): Promise<number> {
  const { first, keyOf } = KEYS[by];
  let count = 0;
  for (let after: unknown = first; ; ) {
    const rows = await fetch(by, after, pageSize);
    for (const row of rows) {
      handle(row);
      count++;
    }
    if (rows.length < pageSize) return count;
    after = keyOf(rows[rows.length - 1] as Row);
  }
}

async function bareLoopAhead({ by, pageSize }: Reading): Promise<number> {
  const { first, keyOf } = KEYS[by];
  let count = 0;
  for (let coming: ReturnType<typeof fetch> | undefined = fetch(by, first, pageSize); coming; ) {
    const rows: readonly Row[] = await coming;
    coming = rows.length < pageSize ? undefined : fetch(by, keyOf(rows[rows.length - 1] as Row), pageSize);
    for (const row of rows) {
      handle(row);
      count++;
    }
  }
  return count;
}

const app = await startApp([Rows]);
try {
  await compare('by primary key, pages of 1,000', { by: 'id', pageSize: 1_000, target: { atLeast: 0.9 } }, 21);
  await compare('by primary key, pages of 100', { by: 'id', pageSize: 100 });
  await compare('by timestamp (microseconds) and id', { by: 'timestamp and id', pageSize: 1_000 });
  await compare('by two columns', { by: 'two columns', pageSize: 1_000 });

  const reading: Reading = { by: 'id', pageSize: 1_000 };
  const rounds = await interleaved(
    { bare: counted(ROWS, () => bareLoop(reading)), ahead: counted(ROWS, () => bareLoopAhead(reading)) },
    ROUNDS,
  );
  report(
    rounds.rates('not ours: a bare pg loop that reads ahead', {
      ours: 'ahead',
      against: 'bare',
      name: 'bare pg loop',
      items: ROWS,
      unit: 'rows',
    }),
  );
} finally {
  await app.close();
  await client.end();
  await database.drop();
}

async function compare(
  what: string,
  { target, ...reading }: Reading & { target?: Target },
  rounds = ROUNDS,
): Promise<void> {
  const compared = await interleaved(
    { bare: counted(ROWS, () => bareLoop(reading)), ours: jobOver(ROWS, app, 'rows', reading) },
    rounds,
  );
  report(
    compared.rates(`a job over pg keyset ${what}`, {
      ours: 'ours',
      against: 'bare',
      name: 'bare pg loop',
      items: ROWS,
      unit: 'rows',
      target,
    }),
  );
}
