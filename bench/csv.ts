/**
 * Three ratios. Rows and batches of 1,000: ours against the faster bare csv-parse loop over one file (target >= 0.90), medians
 * of five rounds. Resume: the time to the first row behind 90 % of a 100 MB file against that of a fresh start (target <= 2),
 * medians of 25 rounds. Interleaved; a round before the first one warms up.
 *
 * `ROWS=1000000` is the size of the first file, by default 300,000 rows.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import type { Cursor } from '../lib/cursor.js';
import type { Enumerator } from '../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder } from '../lib/enumerators/csv/csv.enumerator.js';
import { readerOf } from '../test/support/pages.js';

const ROUNDS = 5;
/** The code of a resumed run is warm only after some of these short ones. */
const RESUME_ROUNDS = 25;
const ROW_BYTES = 144;
const csv = new CsvEnumeratorBuilder();

const directory = await mkdtemp(join(tmpdir(), 'nestjs-iteration-csv-'));
try {
  await benchRows(await writeCsv('rows.csv', Number(process.env.ROWS ?? 300_000)));
  await benchResume(await writeCsv('resume.csv', Math.ceil(100_000_000 / ROW_BYTES)));
} finally {
  await rm(directory, { recursive: true });
}

async function benchRows(path: string): Promise<void> {
  const seconds = await interleaved(ROUNDS, {
    rows: () => read(csv.rows(path, { cursor: null }), (row) => (row ? 1 : 0)),
    batches: () => read(csv.batches(path, { cursor: null, batchSize: 1_000 }), (batch) => batch.length),
    forAwait: () => bareForAwait(path),
    readable: () => bareReadable(path),
  });
  const bare = Math.min(seconds.forAwait, seconds.readable);
  console.log('seconds', seconds);
  console.log(`csv rows, ratio to bare csv-parse: ${fixed(bare / seconds.rows)} (target >= 0.90)`);
  console.log(`csv batches of 1,000, ratio to bare csv-parse: ${fixed(bare / seconds.batches)} (target >= 0.90)`);
}

async function benchResume(path: string): Promise<void> {
  const cursor = await cursorAt(path, 0.9);
  const seconds = await interleaved(RESUME_ROUNDS, {
    fresh: () => firstRow(path, null),
    resumed: () => firstRow(path, cursor),
  });
  console.log('seconds to the first row', seconds);
  console.log(`csv resume at 90 %, ratio to a fresh start: ${fixed(seconds.resumed / seconds.fresh)} (target <= 2)`);
}

async function read<Item>(enumerator: Enumerator<Item>, rowsOf: (item: Item) => number): Promise<number> {
  const start = performance.now();
  const reader = readerOf(enumerator);
  let count = 0;
  for (let page = await reader.next(); page; page = await reader.next()) {
    for (const item of page.items) count += rowsOf(item);
    page.cursorAt(page.items.length - 1);
  }
  await reader.close();
  return elapsed(start, count);
}

async function bareForAwait(path: string): Promise<number> {
  const start = performance.now();
  const parser = createReadStream(path).pipe(parse({ columns: true, bom: true }));
  let count = 0;
  for await (const row of parser) if (row) count++;
  return elapsed(start, count);
}

async function bareReadable(path: string): Promise<number> {
  const start = performance.now();
  const parser = parse({ columns: true, bom: true });
  let count = 0;
  parser.on('readable', () => {
    for (let row: unknown = parser.read(); row !== null; row = parser.read()) count++;
  });
  await pipeline(createReadStream(path), parser);
  return elapsed(start, count);
}

async function firstRow(path: string, cursor: Cursor): Promise<number> {
  const start = performance.now();
  const reader = rowsOf(path, cursor);
  const page = await reader.next();
  if (!page?.items.length) throw new Error('no row');
  const seconds = elapsed(start);
  await reader.close();
  return seconds;
}

async function cursorAt(path: string, share: number): Promise<Cursor> {
  const reader = rowsOf(path, null);
  try {
    for (let page = await reader.next(); page; page = await reader.next()) {
      const cursor = page.cursorAt(page.items.length - 1) as { offset: number };
      if (cursor.offset >= share * 100_000_000) return cursor;
    }
  } finally {
    await reader.close();
  }
  throw new Error('the file is too short');
}

function rowsOf(path: string, cursor: Cursor) {
  return readerOf(csv.rows(path, { cursor }));
}

/** The median of what each loop says it took. */
async function interleaved<Name extends string>(
  times: number,
  loops: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(loops) as Name[];
  const rounds: Record<Name, number>[] = [];
  for (let round = 0; round <= times; round++) {
    const seconds = {} as Record<Name, number>;
    for (const name of names) seconds[name] = await loops[name]();
    if (round > 0) rounds.push(seconds); // the first one warms up
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((round) => round[name]))])) as Record<
    Name,
    number
  >;
}

/** Seconds since `start`. */
function elapsed(start: number, rows = 1): number {
  if (rows === 0) throw new Error('nothing was read');
  return (performance.now() - start) / 1000;
}

async function writeCsv(name: string, rows: number): Promise<string> {
  const path = join(directory, name);
  await pipeline(Readable.from(lines(rows)), createWriteStream(path));
  return path;
}

function* lines(rows: number): Generator<string> {
  yield 'id,name,email,city,note,amount,created_at\n';
  for (let id = 1; id <= rows; id++) {
    const line = `${id},"Person, ${id}",person${id}@example.com,Zürich,some words about the person,${id % 997}.50,2026-11-01T00:00:00Z`;
    yield `${line.padEnd(ROW_BYTES - 2, '.')}\n`; // ü is two bytes
  }
}

function fixed(value: number): string {
  return value.toFixed(2);
}
