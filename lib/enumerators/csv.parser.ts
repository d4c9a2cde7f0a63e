import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { MissingDependencyError } from '../iteration.errors.js';
import type { ParserOptions } from './csv.options.js';

/** What is used of csv-parse; its own types are missing where it is not installed. */
interface CsvParse {
  readonly Parser: new (options: ParserOptions) => Parser;
}

interface Parser extends Transform {
  readonly info: { readonly bytes: number; readonly records: number; readonly lines: number };
  readonly options: { readonly record_delimiter: readonly Buffer[] };
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
export async function loadCsvParse(load: () => Promise<CsvParse> = () => import('csv-parse')): Promise<CsvParse> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDependencyError('csv-parse', 'csv.rows', { cause: error });
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
    this.#parser.on('error', () => {}); // each call's own promise rejects
  }

  /** Given as an option, or found at the end of the first line. */
  get delimiters(): readonly Buffer[] {
    return this.#parser.options.record_delimiter;
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
    const { on_record: onRecord, on_skip: onSkip } = options;
    return {
      ...options,
      from: 1, // counted from the file's first record, and passed by now
      on_record: onRecord && ((record, context) => (this.#resumeAt ? record : onRecord(record, context))),
      on_skip: onSkip && ((error, raw) => (this.#resumeAt ? undefined : onSkip(error, raw))),
    };
  }
}
