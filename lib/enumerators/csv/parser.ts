import { IterationError } from '../../iteration.errors.js';
import { loadOptional } from '../../optional.package.js';
import type { ParserOptions } from './options.js';

/** The part of csv-parse that is used here. Its own types are missing where it is not installed. */
export interface CsvParse {
  readonly Parser: new (options: ParserOptions) => { readonly api?: ParserApi };
}

/** The parser inside the stream of csv-parse. Its types leave it out. */
interface ParserApi {
  readonly info: { bytes: number; records: number; lines: number };
  readonly state: { needMoreDataSize: number; bufBytesStart: number; expectedRecordLength: number | undefined };
  readonly options: {
    readonly quote: Buffer | null;
    readonly escape: Buffer | null;
    readonly comment: Buffer | null;
    readonly delimiter: readonly Buffer[];
    readonly record_delimiter: readonly Buffer[];
    readonly encoding: BufferEncoding | null;
    readonly columns: ParserOptions['columns'];
    readonly to: number;
  };
  /** @returns the error, where there is one. */
  parse(chunk: Buffer | undefined, isEnd: boolean, push: (record: never) => void, stop: () => void): unknown;
}

/** Records, and where each one ends. */
export interface Records<Row> {
  readonly items: Row[];
  /** The byte after each record. */
  readonly offsets: number[];
  readonly rows: number[];
  readonly lines: number[];
}

/** What a parser has learned from the beginning of a file, up to its first record. */
export interface Learned {
  /** From the header. */
  readonly columns: ParserOptions['columns'];
  /** How many fields each record must have. */
  readonly fields: number | undefined;
  /** Given as an option, or found at the end of the first line. None while the only line has no end. */
  readonly delimiters: readonly Buffer[];
  /** Given as an option, or by the file's BOM. */
  readonly encoding: BufferEncoding;
}

/** Where a parser starts in the middle of a file, and what it would have learned before. */
interface ParserStart extends Learned {
  /** The byte after the record before, its line end included. */
  readonly offset: number;
  /** Row of the record before. */
  readonly row: number;
  /** The line that begins at `offset`. */
  readonly line: number;
  /** The file's BOM, from which csv-parse takes the encoding. Empty when the file has none. */
  readonly bom: Buffer;
}

/** @throws MissingDependencyError when csv-parse is not installed. */
export async function loadCsvParse(
  call: string,
  load: () => Promise<CsvParse> = () => import('csv-parse') as unknown as Promise<CsvParse>,
): Promise<CsvParse> {
  return loadOptional({ name: 'csv-parse', feature: call }, load);
}

/**
 * A csv-parse parser that knows where each record ends.
 *
 * In the middle of a file, its options hold what the beginning of the file says. It is given no byte of the beginning but
 * the BOM, so no record of the beginning can run into later ones.
 */
export class CsvParser<Row> {
  /** An option ended the file: `to` or `to_line`. */
  stopped = false;
  /** Why parsing stopped. The records before were given out. */
  failure: { readonly error: unknown } | undefined;

  readonly #api: ParserApi;
  /** Parsed with the first bytes after it: a BOM alone could be taken for text. */
  #bom: Buffer | undefined;

  constructor({ Parser }: CsvParse, options: ParserOptions, start?: ParserStart) {
    this.#api = checkedApi(new Parser(start ? optionsAfter(options, start) : options).api);
    const { info, options: given, state } = this.#api;
    state.needMoreDataSize = Math.max(state.needMoreDataSize, lookAhead(given));
    if (!start) return;
    const { offset, row, line, fields, bom } = start;
    this.#bom = bom;
    Object.assign(info, { bytes: offset, records: row, lines: line });
    Object.assign(state, { bufBytesStart: offset - bom.length, expectedRecordLength: fields });
    this.stopped = given.to !== -1 && row >= given.to;
  }

  get learned(): Learned {
    const { columns, encoding, record_delimiter: delimiters } = this.#api.options;
    const fields = this.#api.state.expectedRecordLength;
    return { columns: asGiven(columns), fields, delimiters: [...delimiters], encoding: encoding ?? 'utf8' };
  }

  /** The records that end in `chunk`; without one, the record that ends with the file. */
  parse(chunk: Buffer | undefined): Records<Row> {
    const { info } = this.#api;
    const records: Records<Row> = { items: [], offsets: [], rows: [], lines: [] };
    // `info` is current only here. The option `info` would copy all of it for each record.
    const push = (record: Row) => {
      records.items.push(record);
      records.offsets.push(info.bytes);
      records.rows.push(info.records);
      records.lines.push(info.lines);
    };
    const stop = () => {
      this.stopped = true;
    };
    const bytes = chunk && this.#bom ? Buffer.concat([this.#bom, chunk]) : chunk;
    this.#bom = undefined;
    try {
      const error = this.#api.parse(bytes, bytes === undefined, push, stop);
      if (error !== undefined) this.failure = { error };
    } catch (error) {
      this.failure = { error }; // `cast_date` threw it
    }
    return records;
  }
}

/** csv-parse turns a column that is left out into an object without a name, and does not accept that object. */
function asGiven(columns: ParserOptions['columns']): ParserOptions['columns'] {
  if (!Array.isArray(columns)) return columns;
  return columns.map((column) => ((column as { name?: string }).name === undefined ? false : column));
}

/** `from` and `from_line` lie before the start. csv-parse looks for no delimiter where one is given. */
function optionsAfter(options: ParserOptions, { bom, columns, delimiters }: ParserStart): ParserOptions {
  const found = delimiters.length > 0 ? [...delimiters] : undefined;
  return { ...options, bom: bom.length > 0, columns, record_delimiter: found, from: 1, from_line: 1 };
}

/** Without this check, a csv-parse that names them otherwise would silently read the wrong records. */
function checkedApi(api: ParserApi | undefined): ParserApi {
  const needed = ['needMoreDataSize', 'bufBytesStart', 'expectedRecordLength'];
  const missing = needed.find((name) => !(name in (api?.state ?? {})));
  if (api && missing === undefined) return api;
  throw new IterationError(
    `This version of csv-parse has no api.state.${missing}, which is needed to resume. Install csv-parse 7`,
  );
}

/**
 * How many bytes must follow a byte before csv-parse may interpret it: any mark that may follow a closing quote. csv-parse
 * asks for fewer, and takes half a mark at the end of a chunk for text. Twice, as a BOM of UTF-16 is found only later.
 */
function lookAhead(options: ParserApi['options']): number {
  const marks = [options.escape, options.comment, ...options.delimiter, ...options.record_delimiter];
  return 2 * ((options.quote?.length ?? 1) + Math.max('\r\n'.length, ...marks.map((mark) => mark?.length ?? 0)));
}
