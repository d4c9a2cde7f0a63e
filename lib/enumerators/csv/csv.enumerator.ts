import { Injectable } from '@nestjs/common';
// biome-ignore lint/suspicious/noTsIgnore: it must hold with and without csv-parse
/** @ts-ignore csv-parse is an optional peer */
import type { Options as CsvParseOptions } from 'csv-parse';
import type { Cursor, Json } from '../../cursor.js';
import { checkOption, count } from '../../rules.js';
import {
  type Bounds,
  batchEnumeratorOf,
  checkOptions,
  checkPartitions,
  type Enumerator,
  enumeratorOf,
  type PageReader,
  type PartitionOptions,
  type PartOptions,
  partsBetween,
  readPages,
  type Source,
} from '../contract/index.js';
import { type CsvSource, nameOf, openBytes } from './bytes.js';
import { cutsOf } from './cuts.js';
import { type CsvCursor, csvCursor, TAIL_BYTES } from './fingerprint.js';
import { type ParserOptions, parserOptions } from './options.js';
import { type CsvPage, pagesOf } from './pages.js';
import { loadCsvParse } from './parser.js';
import { ByteReader } from './reader.js';
import { begin, type OpenCsv, resume } from './resume.js';
import { countedBefore, cuttingOptions, fractionOf, isCountable, sizeOf } from './size.js';

export type { CsvSource } from './bytes.js';

const ROWS = { name: 'csv.rows', own: ['cursor', 'range'] };
const BATCHES = { name: 'csv.batches', own: ['cursor', 'range', 'batchSize'] };
const PARTITIONS = { name: 'csv.partitions', own: ['count'] };
const DEFAULT_BATCH = 1_000;

/** Enumerators over the records of a CSV. They need the package `csv-parse`. */
@Injectable()
export class CsvEnumeratorBuilder {
  /**
   * The records of a CSV, resumed at the byte after the last finished record. Of what is before, only the first 64 KB
   * (more where the first record ends later) and the 4 KB before the cursor are read again.
   *
   * Options are those of csv-parse, with the defaults `columns: true` (a record is an object by the header) and
   * `bom: true`. Refused are `info` and `delimiter_auto`, and `max_record_size`, `trim` and `rtrim` together with
   * `skip_records_with_error`; the errors say why.
   *
   * The functions among the options (`cast`, `columns`, `on_record`) should be pure: a resumed run calls them again for the
   * header and the first record. `on_skip` is called again for broken records after the cursor. In what these functions
   * receive, `records`, `lines` and `bytes` count from the beginning of the file. `comment_lines`, `empty_lines`,
   * `invalid_field_length` and `bytes_records` count what this run has read.
   *
   * The cursor holds the byte, the row number, and a fingerprint of the file: its first 64 KB, the 4 KB before the cursor,
   * and its size. A file that was appended to is the same file. Changes elsewhere in a file that is no smaller are not
   * detected.
   *
   * `percent` and `etaMs` of a job are computed from its bytes, exactly. They are unknown for a stream.
   *
   * `size` is exact for a file or Buffer of 1 MB (1,048,576 bytes) at most, or one that an option ends within that MB. None
   * of the functions above is called for it. It is unknown for a larger file, a stream and a file with an error, and where
   * a function decides what is skipped: `on_record`, `cast` with `skip_records_with_empty_values`, `columns` with
   * `skip_records_with_error`.
   *
   * Reading rejects with SourceChangedError when the file is no longer the cursor's (R10), or is cut while it is read. It
   * rejects with MissingDependencyError when csv-parse is not installed. Errors of the file system, the stream and csv-parse
   * pass untouched. A stalled stream is destroyed when the run ends.
   *
   * @throws InvalidOptionsError for a value that is not a source, and for an option that is unknown or cannot be resumed.
   * @throws InvalidCursorError for a cursor of another source.
   */
  rows<Row = Record<string, string>>(source: CsvSource, options: PartOptions & CsvParseOptions): Enumerator<Row> {
    checkOptions({ cursor: options?.cursor }, ROWS.own, ROWS.name);
    const rows = new CsvRows<Row>(source, parserOptions(options, ROWS), ROWS.name);
    return enumeratorOf(rows, options, readsOf(ROWS.name));
  }

  /**
   * As {@link rows}, in arrays of `batchSize` records (default 1000); the last array may be shorter. A batch's cursor is its
   * last record's, so a processor may change between `rows` and `batches`, and its `batchSize`, between two runs.
   *
   * @throws InvalidOptionsError also for a batchSize that is not a whole number from 1.
   */
  batches<Row = Record<string, string>>(
    source: CsvSource,
    options: PartOptions & CsvParseOptions & { batchSize?: number },
  ): Enumerator<Row[]> {
    checkOptions({ cursor: options?.cursor }, BATCHES.own, BATCHES.name);
    const { batchSize = DEFAULT_BATCH } = options;
    checkOption(BATCHES.name, ['batchSize', batchSize], count);
    const rows = new CsvRows<Row>(source, parserOptions(options, BATCHES), BATCHES.name);
    return batchEnumeratorOf(rows, { ...options, batchSize }, readsOf(BATCHES.name));
  }

  /**
   * Cuts a CSV between records into at most `count` parts of about the same number of bytes: a list of ranges for the option
   * `range` of {@link rows} and {@link batches}, with the same options of csv-parse.
   *
   * The parts cover each record exactly once, also records that are appended later: they belong to the last part. There is no
   * empty part, but of a file without records there is one. A part reads the beginning of the file, and its own bytes.
   *
   * The source is read once from its beginning to its end, and csv-parse finds the records: only it knows for certain which
   * line ends are inside quotes. `on_skip` is not called. `on_record` is called, as are `cast` and `columns`, only if what
   * they return decides which records there are. A CSV with an error is not cut: the error of csv-parse passes untouched.
   */
  async partitions(source: CsvSource, options: PartitionOptions & CsvParseOptions): Promise<Json[]> {
    checkPartitions({ count: options?.count }, PARTITIONS.name);
    const parsing = cuttingOptions(parserOptions(options, PARTITIONS));
    const rows = new CsvRows<unknown>(source, parsing, PARTITIONS.name);
    return options.count === 1 ? partsBetween([]) : partsBetween(await rows.cuts(options.count));
  }
}

function readsOf(name: string) {
  return { name, cursor: (value: Cursor) => csvCursor(value, name) };
}

class CsvRows<Row> implements Source<Row, CsvCursor> {
  readonly size?: Source<Row, CsvCursor>['size'];
  readonly fraction?: Source<Row, CsvCursor>['fraction'];
  readonly #name: string;

  constructor(
    private readonly source: CsvSource,
    private readonly options: ParserOptions,
    private readonly call: string,
  ) {
    this.#name = nameOf(source, call);
    if (typeof source === 'function') return;
    this.fraction = (cursor) => fractionOf(cursor, options);
    if (isCountable(options)) this.size = () => this.#size();
  }

  read(bounds: Bounds<CsvCursor>): PageReader<Row, CsvCursor> {
    const closing = new AbortController();
    const reader = readPages(this.#pages(bounds, closing.signal));
    return {
      ...reader,
      close: () => {
        closing.abort(); // ends a `next` that is waiting for a stream
        return reader.close();
      },
    };
  }

  count({ row }: CsvCursor): number | undefined {
    return this.options.on_record ? undefined : row - countedBefore(this.options);
  }

  compare(one: CsvCursor, other: CsvCursor): number {
    return one.offset - other.offset;
  }

  cuts(count: number): Promise<readonly CsvCursor[]> {
    return cutsOf(this.#pages({ after: null, until: null }, new AbortController().signal), count);
  }

  async #size(): Promise<number | undefined> {
    const open = await this.#open(0);
    try {
      return await sizeOf(open);
    } finally {
      await open.close();
    }
  }

  async *#pages({ after, until }: Bounds<CsvCursor>, signal: AbortSignal): AsyncGenerator<CsvPage<Row>, void, void> {
    const open = await this.#open(after ? Math.max(0, after.offset - TAIL_BYTES) : 0, signal);
    try {
      const rest = after ? await resume<Row>(open, after) : await begin<Row>(open);
      yield* pagesOf(rest, until?.offset ?? Number.POSITIVE_INFINITY);
    } finally {
      await open.close();
    }
  }

  async #open(start: number, signal = new AbortController().signal): Promise<OpenCsv & { close(): Promise<unknown> }> {
    const csv = await loadCsvParse(this.call);
    const bytes = await openBytes(this.source, { call: this.call, signal });
    const body = new ByteReader(bytes.from(start));
    const close = () => Promise.all([body.close(), bytes.close()]);
    return { name: this.#name, bytes, body, csv, options: this.options, close };
  }
}
