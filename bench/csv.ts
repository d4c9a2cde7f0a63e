/**
 * Rows and batches of 1,000: a whole job over one file against the faster bare csv-parse loop (rows: target >= 0.90 of
 * its speed), with handlers that do nothing, medians of eleven rounds. Resume: the time to the first row after 90 % of
 * a 100 MB file, read as a run reads it, against the first row of a fresh start (target <= 2), medians of 25 rounds.
 * Interleaved.
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
import { CsvEnumeratorBuilder } from '../lib/enumerators/csv/csv.enumerator.js';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { readerOf } from '../test/support/pages.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 300_000);
const BATCH = 1_000;
const ROUNDS = 11;
/** The code of a resumed run is warm only after some short runs. */
const RESUME_ROUNDS = 25;
const RESUME_BYTES = 100_000_000;
const ROW_BYTES = 144;

const directory = await mkdtemp(join(tmpdir(), 'nestjs-iteration-csv-'));

@IterativeProcessor({ queue: QUEUE, name: 'rows' })
class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { path } }: BuildContext<{ path: string }>) {
    return this.enumerators.csv.rows(path, { cursor });
  }

  @EachIteration()
  each(_row: Record<string, string>) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'batches' })
class Batches {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { path } }: BuildContext<{ path: string }>) {
    return this.enumerators.csv.batches(path, { cursor, batchSize: BATCH });
  }

  @EachIteration()
  each(_rows: Record<string, string>[]) {}
}

try {
  await benchRows(await writeCsv('rows.csv', ROWS));
  await benchResume(await writeCsv('resume.csv', Math.ceil(RESUME_BYTES / ROW_BYTES)));
} finally {
  await rm(directory, { recursive: true });
}

async function benchRows(path: string): Promise<void> {
  const app = await startApp([Rows, Batches]);
  try {
    const rounds = await interleaved(
      {
        rows: jobOver(ROWS, app, 'rows', { path }),
        batches: jobOver(Math.ceil(ROWS / BATCH), app, 'batches', { path }),
        forAwait: counted(ROWS, () => bareForAwait(path)),
        readable: counted(ROWS, () => bareReadable(path)),
      },
      ROUNDS,
    );
    const against = rounds.median('forAwait') < rounds.median('readable') ? 'forAwait' : 'readable';
    const bare = { against, name: 'bare csv-parse', items: ROWS, unit: 'rows' } as const;
    report(rounds.rates('a job over the rows of a CSV', { ...bare, ours: 'rows', target: { atLeast: 0.9 } }));
    report(rounds.rates(`a job over the batches of ${BATCH} of a CSV`, { ...bare, ours: 'batches' }));
  } finally {
    await app.close();
  }
}

async function benchResume(path: string): Promise<void> {
  const cursor = await cursorAt(path, 0.9);
  const rounds = await interleaved(
    { fresh: () => readFirstRow(path, null), resumed: () => readFirstRow(path, cursor) },
    RESUME_ROUNDS,
  );
  report(
    rounds.measures('the first row after 90 % of a CSV of 100 MB', {
      ...{ ours: 'resumed', against: 'fresh', name: 'its very first row', target: { atMost: 2 } },
      asText: (seconds) => `${(seconds * 1_000).toFixed(1)} ms`,
    }),
  );
}

async function bareForAwait(path: string): Promise<number> {
  const parser = createReadStream(path).pipe(parse({ columns: true, bom: true }));
  let count = 0;
  for await (const row of parser) if (row) count++;
  return count;
}

async function bareReadable(path: string): Promise<number> {
  const parser = parse({ columns: true, bom: true });
  let count = 0;
  parser.on('readable', () => {
    for (let row: unknown = parser.read(); row !== null; row = parser.read()) count++;
  });
  await pipeline(createReadStream(path), parser);
  return count;
}

async function readFirstRow(path: string, cursor: Cursor): Promise<void> {
  const reader = rowsOf(path, cursor);
  const page = await reader.next();
  if (!page?.items.length) throw new Error('no row');
  await reader.close();
}

async function cursorAt(path: string, share: number): Promise<Cursor> {
  const reader = rowsOf(path, null);
  try {
    for (let page = await reader.next(); page; page = await reader.next()) {
      const cursor = page.cursorAt(page.items.length - 1) as { offset: number };
      if (cursor.offset >= share * RESUME_BYTES) return cursor;
    }
  } finally {
    await reader.close();
  }
  throw new Error('the file is too short');
}

function rowsOf(path: string, cursor: Cursor) {
  return readerOf(new CsvEnumeratorBuilder().rows(path, { cursor }));
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
