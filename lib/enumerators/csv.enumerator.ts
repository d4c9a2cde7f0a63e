import { Injectable } from '@nestjs/common';
// biome-ignore lint/suspicious/noTsIgnore: it must hold with and without csv-parse
/** @ts-ignore csv-parse is an optional peer */
import type { Options as CsvParseOptions } from 'csv-parse';
import {
  type At,
  type Bounds,
  type Enumerator,
  type Page,
  type PageReader,
  readAhead,
  readPages,
  type Source,
  SourceEnumerator,
} from './contract/index.js';
import { type CsvSource, nameOf, openBytes } from './csv.bytes.js';
import { type CsvCursor, csvCursor, digest, type FileMark, TAIL_BYTES } from './csv.fingerprint.js';
import { type ParserOptions, parserOptions } from './csv.options.js';
import { loadCsvParse, type Records } from './csv.parser.js';
import { begin, resume, type Stretch } from './csv.resume.js';

export type { CsvSource } from './csv.bytes.js';

/** Enumerators over the records of a CSV; they need the package `csv-parse`. */
@Injectable()
export class CsvEnumeratorBuilder {
  /**
   * The records of a CSV, resumed at the byte behind the last finished one: nothing before it is read again but the
   * head of the file.
   *
   * Options are those of csv-parse, with `columns: true` (a record is an object by the header) and `bom: true` as
   * defaults. Functions among them (`cast`, `columns`, `on_record`) see a resumed file's header and first record again, so they
   * should be pure. The cursor holds the byte, the row number, and a fingerprint of the file: its first 64 KB, the 4 KB before
   * the cursor, and its size. A file that was appended to is the same.
   *
   * Reading rejects with SourceChangedError when the file is no longer the cursor's (R10), and with
   * MissingDependencyError when csv-parse is not installed; errors of the file system, the stream and csv-parse pass untouched.
   *
   * @throws InvalidOptionsError for what is no source, and for an option that is unknown or cannot be resumed.
   * @throws InvalidCursorError for a cursor of another source.
   */
  rows<Row = Record<string, string>>(source: CsvSource, options: At & CsvParseOptions): Enumerator<Row> {
    return new SourceEnumerator(new CsvRows<Row>(source, parserOptions(options)), csvCursor(options.cursor));
  }
}

class CsvRows<Row> implements Source<Row, CsvCursor> {
  readonly #source: CsvSource;
  readonly #options: ParserOptions;
  readonly #name: string;

  constructor(source: CsvSource, options: ParserOptions) {
    this.#source = source;
    this.#options = options;
    this.#name = nameOf(source);
  }

  read(bounds: Bounds<CsvCursor>): PageReader<Row, CsvCursor> {
    return readAhead(readPages(this.#pages(bounds)));
  }

  async *#pages({ after, until }: Bounds<CsvCursor>): AsyncGenerator<Page<Row, CsvCursor>, void, void> {
    const csv = await loadCsvParse();
    const bytes = await openBytes(this.#source);
    try {
      const open = { name: this.#name, bytes, csv, options: this.#options };
      const stretch = after ? await resume<Row>(open, after) : await begin<Row>(open);
      try {
        yield* pages(stretch, until?.offset ?? Number.POSITIVE_INFINITY);
      } finally {
        await stretch.body.close();
      }
    } finally {
      await bytes.close();
    }
  }
}

/** The parser holds back a few bytes to look ahead, so a chunk's first record can end in the chunk before. */
const KEPT_BYTES = TAIL_BYTES + 4_096;

async function* pages<Row>(
  { body, parser, mark, tail, offset }: Stretch<Row>,
  until: number,
): AsyncGenerator<Page<Row, CsvCursor>, void, void> {
  let bytes = tail;
  let end = offset;
  while (!parser.stopped) {
    const chunk = await body.next();
    const failure = await failureOf(chunk ? parser.write(chunk) : parser.end());
    if (chunk) bytes = Buffer.concat([bytes.subarray(-KEPT_BYTES), chunk]);
    end += chunk?.length ?? 0;
    const records = parser.take();
    const count = countUpTo(until, records.offsets);
    if (count > 0) yield page(records, { count, mark, bytes, start: end - bytes.length });
    if (count < records.items.length || records.offsets.at(-1) === until) return;
    if (failure) throw failure.error; // only now: the records before the broken one can be finished
    if (!chunk) return;
  }
}

function failureOf(parsing: Promise<void>): Promise<{ readonly error: unknown } | undefined> {
  return parsing.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
}

function countUpTo(until: number, offsets: readonly number[]): number {
  const beyond = offsets.findIndex((offset) => offset > until);
  return beyond === -1 ? offsets.length : beyond;
}

/** `bytes` begin at the byte `start` of the file, and hold what stands before each of the page's records. */
interface PageFacts {
  readonly count: number;
  readonly mark: FileMark;
  readonly bytes: Buffer;
  readonly start: number;
}

function page<Row>(
  { items, offsets, rows, lines }: Records<Row>,
  { count, mark, bytes, start }: PageFacts,
): Page<Row, CsvCursor> {
  return {
    items: count === items.length ? items : items.slice(0, count),
    cursorAt(index) {
      const [offset, row, line] = [offsets[index], rows[index], lines[index]] as [number, number, number];
      const tail = bytes.subarray(Math.max(0, offset - start - TAIL_BYTES), offset - start);
      return { offset, row, line, ...mark, tail: digest(tail) };
    },
  };
}
