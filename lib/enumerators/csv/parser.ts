import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { MissingDependencyError } from '../../iteration.errors.js';
import type { ParserOptions } from './options.js';

/** What is used of csv-parse; its own types are missing where it is not installed. */
interface CsvParse {
  readonly Parser: new (options: ParserOptions) => Parser;
}

interface Parser extends Transform {
  readonly info: { readonly bytes: number; readonly records: number; readonly lines: number };
  /** Not among its types. */
  readonly state?: { needMoreDataSize: number };
  readonly options: { readonly record_delimiter: readonly Buffer[]; readonly encoding: BufferEncoding | null };
}

/** Where a record ends. */
export interface Place {
  /** Of the byte behind it. */
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

/** @throws MissingDependencyError when csv-parse is not installed. */
export async function loadCsvParse(
  call: string,
  load: () => Promise<CsvParse> = () => import('csv-parse'),
): Promise<CsvParse> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDependencyError('csv-parse', call, { cause: error });
  }
}

/**
 * A csv-parse parser that tells where each record ends.
 *
 * A resumed one must first be given its *primer*: the file up to the end of its first record. That brings it, in constant
 * time, to the state of a parser that has read all before the cursor: encoding, header, number of columns.
 */
export class CsvParser<Row> {
  /** An option said that nothing more is wanted: `to`, `to_line`. */
  stopped = false;

  readonly #parser: Parser;
  readonly #shift: number;
  #resumeAt: Place | undefined;
  #records: Records<Row> = { items: [], offsets: [], rows: [], lines: [] };

  constructor({ Parser }: CsvParse, options: ParserOptions, resume?: { readonly at: Place; readonly primer: Buffer }) {
    this.#resumeAt = resume?.at;
    this.#shift = resume ? resume.at.offset - resume.primer.length : 0;
    this.#parser = new Parser(resume ? this.#quietUntilResumed(options) : options);
    // What csv-parse counts is current only while it hands over a record; its option `info` copies all of it each time.
    this.#parser.push = (record: Row | null) => this.#push(record);
    const { state } = this.#parser;
    if (state) state.needMoreDataSize = Math.max(state.needMoreDataSize, lookAhead(options));
    this.#parser.on('error', () => {}); // each call's own promise rejects
  }

  /** Given as an option, or found at the end of the first line. */
  get delimiters(): readonly Buffer[] {
    return this.#parser.options.record_delimiter;
  }

  /** Given as an option, or by the file's BOM. */
  get encoding(): BufferEncoding {
    return this.#parser.options.encoding ?? 'utf8';
  }

  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#parser.write(chunk, (error) => (error ? reject(error) : resolve()));
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

  #push(record: Row | null): boolean {
    const { info } = this.#parser;
    if (record === null) {
      this.stopped = true;
    } else if (this.#resumeAt) {
      Object.assign(info, { records: this.#resumeAt.row, lines: this.#resumeAt.line });
      this.#resumeAt = undefined;
    } else {
      this.#records.items.push(record);
      this.#records.offsets.push(info.bytes + this.#shift);
      this.#records.rows.push(info.records);
      this.#records.lines.push(info.lines);
    }
    return true;
  }

  /** The user's functions saw the primer's record in an earlier run, and must not drop it. */
  #quietUntilResumed(options: ParserOptions): ParserOptions {
    const { cast, cast_date: castDate, on_record: onRecord, on_skip: onSkip } = options;
    return {
      ...options,
      from: 1, // counted from the file's first record, and passed by now
      cast: typeof cast === 'function' ? (value, context) => cast(value, this.#moved(context)) : cast,
      cast_date: typeof castDate === 'function' ? (value, context) => castDate(value, this.#moved(context)) : castDate,
      on_record: onRecord && ((record, context) => (this.#resumeAt ? record : onRecord(record, this.#moved(context)))),
      on_skip: onSkip && ((error, raw) => (this.#resumeAt ? undefined : onSkip(error, raw))),
    };
  }

  /** The context of a user's function, which is its own copy, with the byte in the file. */
  #moved<Context extends { readonly bytes: number }>(context: Context): Context {
    return this.#resumeAt ? context : Object.assign(context, { bytes: context.bytes + this.#shift });
  }
}

/**
 * How many bytes must be there behind one to tell what it is: what may follow a closing quote, in any encoding. csv-parse
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
