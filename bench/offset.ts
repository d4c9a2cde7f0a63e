/**
 * Paging by OFFSET, pages of 1,000 over 100,000, 200,000 and 400,000 rows, against our job over a keyset source of the
 * same rows; then compares the rows per second of each with those over four times as many rows. The handlers do
 * nothing. Interleaved, medians of five rounds.
 *
 * `ROWS=100000` is the smallest of the three sizes.
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
import { createEntries } from './entries.js';
import { report } from './figure.js';
import { asRate, interleaved } from './interleaved.js';

const FEW = Number(process.env.ROWS ?? 100_000);
const MANY = 4 * FEW;
const SIZES = [FEW, 2 * FEW, MANY];
const PAGE = 1_000;

interface Row {
  readonly id: number;
}

const database = await createDatabase();
await createEntries(database, MANY);
const client = new pg.Client({ connectionString: database.url });
await client.connect();

const QUERIES = {
  offset: `SELECT id, name FROM entry WHERE id <= $1 ORDER BY id LIMIT ${PAGE} OFFSET $2`,
  key: `SELECT id, name FROM entry WHERE id <= $1 AND id > $2 ORDER BY id LIMIT ${PAGE}`,
};

async function fetch(by: keyof typeof QUERIES, values: readonly number[]): Promise<readonly Row[]> {
  return (await client.query<Row>({ name: by, text: QUERIES[by], values: [...values] })).rows;
}

@IterativeProcessor({ queue: QUEUE, name: 'rows' })
class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { rows } }: BuildContext<{ rows: number }>) {
    return this.enumerators.keyset<Row, number>({
      cursor,
      fetch: (after) => fetch('key', [rows, after ?? 0]),
      key: ({ id }) => id,
    });
  }

  @EachIteration()
  each(_row: Row) {}
}

async function byOffset(rows: number): Promise<number> {
  for (let count = 0; ; ) {
    const page = await fetch('offset', [rows, count]);
    count += page.length;
    if (page.length < PAGE) return count;
  }
}

const app = await startApp([Rows]);
try {
  const rounds = await interleaved(
    Object.fromEntries(
      SIZES.flatMap((rows) => [
        [`offset ${rows}`, counted(rows, () => byOffset(rows))],
        [`ours ${rows}`, jobOver(rows, app, 'rows', { rows })],
      ]),
    ),
  );
  for (const rows of SIZES) {
    const compared = { against: `offset ${rows}`, name: 'OFFSET', items: rows, unit: 'rows' };
    report(rounds.rates(`a job over ${rows} rows by keyset`, { ...compared, ours: `ours ${rows}` }));
  }
  for (const [what, contender] of [
    [`a job over ${MANY} rows`, 'ours'],
    [`not ours: OFFSET over ${MANY} rows`, 'offset'],
  ] as const) {
    const [many, few] = [`${contender} ${MANY}`, `${contender} ${FEW}`];
    const { median, least, most } = rounds.speed(many, few);
    const growth = MANY / FEW;
    report({
      what,
      ours: asRate(MANY / rounds.median(many), 'rows'),
      against: `${FEW} rows: ${asRate(FEW / rounds.median(few), 'rows')}`,
      ratio: { median: growth * median, least: growth * least, most: growth * most },
    });
  }
} finally {
  await app.close();
  await client.end();
  await database.drop();
}
