import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { IterationError, MissingDependencyError } from '../../iteration.errors.js';
import type { ParserOptions } from './options.js';

/** What is used of csv-parse; its own types are missing where it is not installed. */
interface CsvParse {
  readonly Parser: new (options: ParserOptions) => Parser;
}

interface Parser extends Transform {
  readonly info: { bytes: number; records: number; lines: number };
  /** Not among its types. */
  readonly state: { needMoreDataSize: number; bufBytesStart: number; expectedRecordLength: number | undefined };
  readonly options: {
    readonly record_delimiter: readonly Buffer[];
    readonly encoding: BufferEncoding | null;
    readonly columns: ParserOptions['columns'];
    readonly to: number;
  };
}

/** Where a record ends. */
export interface Place {
  /** The byte after it. */
  readonly offset: number;
  readonly row: number;
  readonly line: number;
}

/** Records, and where each ends. */
export interface Records<Row> {
  readonly items: Row[];
  readonly offsets: number[];
  readonly rows: number[];
  readonly lines: number[];
}

/** What a parser has learned from the beginning of a file, up to its first record. */
export interface Learned {
  /** Of its header. */
  readonly columns: ParserOptions['columns'];
  /** How many fields each record must have. */
  readonly fields: number | undefined;
  /** Given as an option, or found at the end of the first line; none as long as the only line has no end. */
  readonly delimiters: readonly Buffer[];
  /** Given as an option, or by the file's BOM. */
  readonly encoding: BufferEncoding;
}

/** Where a parser starts in the middle of a file, and what it would have learned before. */
export interface ParserStart {
  readonly learned: Learned;
  /** The end of the record before, its line end included. `line` is the line that begins there. */
  readonly at: Place;
  /** The file's BOM, by which csv-parse knows the encoding; empty for none. */
  readonly bom: Buffer;
}

/** @throws MissingDependencyError when csv-parse is not installed. */
export async function loadCsvParse(
  call: string,
  load: () => Promise<CsvParse> = () => import('csv-parse') as unknown as Promise<CsvParse>,
): Promise<CsvParse> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDependencyError('csv-parse', call, { cause: error });
  }
}

/**
 * A csv-parse parser that says where each record ends.
 *
 * One that starts in the middle of a file is given what the beginning of the file says as options, and no byte of the
 * file but its BOM: no record of the beginning can run into the records that it is to read.
 */
export class CsvParser<Row> {
  /** An option said that nothing more is wanted: `to`, `to_line`. */
  stopped = false;

  readonly #parser: Parser;
  /** Written with the first bytes after it: a BOM alone could be taken for text. */
  #bom: Buffer;
  #records: Records<Row> = { items: [], offsets: [], rows: [], lines: [] };

  constructor({ Parser }: CsvParse, options: ParserOptions, start?: ParserStart) {
    this.#parser = new Parser(start ? optionsAfter(options, start) : options);
    this.#bom = start?.bom ?? Buffer.alloc(0);
    // What csv-parse counts is current only while it hands over a record; its option `info` copies all of it each time.
    this.#parser.push = (record: Row | null) => this.#push(record);
    const { state } = this.#parser;
    checkState(state);
    state.needMoreDataSize = Math.max(state.needMoreDataSize, lookAhead(options));
    this.#parser.on('error', () => {}); // each call's own promise rejects
    if (start) this.#startAt(start);
  }

  get learned(): Learned {
    const { columns, encoding, record_delimiter: delimiters } = this.#parser.options;
    const fields = this.#parser.state.expectedRecordLength;
    return { columns: asGiven(columns), fields, delimiters: [...delimiters], encoding: encoding ?? 'utf8' };
  }

  async write(chunk: Buffer): Promise<void> {
    const bytes = this.#bom.length > 0 ? Buffer.concat([this.#bom, chunk]) : chunk;
    this.#bom = this.#bom.subarray(this.#bom.length);
    await new Promise<void>((resolve, reject) => {
      this.#parser.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async end(): Promise<void> {
    const finished = once(this.#parser, 'finish');
    this.#parser.end();
    await finished;
  }

  /** The records that were finished since the last call; those before a broken one too. */
  take(): Records<Row> {
    const records = this.#records;
    this.#records = { items: [], offsets: [], rows: [], lines: [] };
    return records;
  }

  #startAt({ learned, at, bom }: ParserStart): void {
    const { info, options, state } = this.#parser;
    Object.assign(info, { bytes: at.offset, records: at.row, lines: at.line });
    state.bufBytesStart = at.offset - bom.length;
    state.expectedRecordLength = learned.fields;
    this.stopped = options.to !== -1 && at.row >= options.to;
  }

  #push(record: Row | null): boolean {
    const { info } = this.#parser;
    if (record === null) {
      this.stopped = true;
      return true;
    }
    this.#records.items.push(record);
    this.#records.offsets.push(info.bytes);
    this.#records.rows.push(info.records);
    this.#records.lines.push(info.lines);
    return true;
  }
}

/** csv-parse makes an object without a name of a column that is left out, and does not take it back. */
function asGiven(columns: ParserOptions['columns']): ParserOptions['columns'] {
  if (!Array.isArray(columns)) return columns;
  return columns.map((column) => ((column as { name?: string }).name === undefined ? false : column));
}

/** `from` and `from_line` are passed. With given delimiters, none is looked for anew. */
function optionsAfter(options: ParserOptions, { bom, learned }: ParserStart): ParserOptions {
  const { columns, delimiters } = learned;
  const settled = delimiters.length > 0 ? [...delimiters] : undefined;
  return { ...options, bom: bom.length > 0, columns, record_delimiter: settled, from: 1, from_line: 1 };
}

/** Set where csv-parse does not look for them, a resumed run would silently read the wrong thing. */
function checkState(state: Parser['state'] | undefined): void {
  const needed = ['needMoreDataSize', 'bufBytesStart', 'expectedRecordLength'];
  const missing = needed.find((name) => !state || !(name in state));
  if (missing === undefined) return;
  throw new IterationError(
    `This version of csv-parse has no state.${missing}, by which a run resumes. Install csv-parse 7, and report it`,
  );
}

/**
 * How many bytes after one must be there to say what it is: what may follow a closing quote, in any encoding. csv-parse
 * asks for less, and takes half a mark of several bytes at a chunk's end for text.
 */
function lookAhead(options: ParserOptions): number {
  const { comment, delimiter, record_delimiter: end } = options;
  const marks = ['\r\n', options.escape, comment, delimiter, end].flat().map(bytesOf);
  return Math.max(bytesOf('"'), bytesOf(options.quote)) + Math.max(...marks);
}

/** In the encoding that needs most. */
function bytesOf(mark: unknown): number {
  if (Buffer.isBuffer(mark)) return mark.length;
  return typeof mark === 'string' ? Math.max(Buffer.byteLength(mark), 2 * mark.length) : 0;
}
