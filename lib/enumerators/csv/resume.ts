import { InvalidCursorError } from '../../iteration.errors.js';
import type { CsvBytes } from './bytes.js';
import {
  type CsvCursor,
  changed,
  checkFile,
  checkTail,
  type FileMark,
  fileMark,
  HEAD_BYTES,
  TAIL_BYTES,
} from './fingerprint.js';
import type { ParserOptions } from './options.js';
import { CsvParser, type loadCsvParse } from './parser.js';
import { ByteReader } from './reader.js';

/** An opened CSV, and how it is to be parsed. */
export interface OpenCsv {
  readonly name: string;
  readonly bytes: CsvBytes;
  readonly csv: Awaited<ReturnType<typeof loadCsvParse>>;
  readonly options: ParserOptions;
}

/** What is to be parsed from here on, and the parser in the state for it. */
export interface Stretch<Row> {
  readonly body: ByteReader;
  readonly parser: CsvParser<Row>;
  readonly mark: FileMark;
  /** The bytes before `body`, {@link TAIL_BYTES} at most; they end at the byte `offset`. */
  readonly tail: Buffer;
  readonly offset: number;
}

/** The whole file. */
export async function begin<Row>({ bytes, csv, options }: OpenCsv): Promise<Stretch<Row>> {
  const body = new ByteReader(bytes.from(0));
  const mark = fileMark(await body.peek(HEAD_BYTES), bytes.size);
  return { body, parser: new CsvParser(csv, options), mark, tail: Buffer.alloc(0), offset: 0 };
}

/**
 * What is behind the cursor's record. Reads the head of the file, and then from just before the cursor on.
 *
 * @throws SourceChangedError when the file is no longer the cursor's (R10).
 */
export async function resume<Row>(open: OpenCsv, cursor: CsvCursor): Promise<Stretch<Row>> {
  const { name, bytes, csv, options } = open;
  const { mark, primer, delimiters, encoding } = await readHead(open, cursor);
  const body = new ByteReader(bytes.from(Math.max(0, cursor.offset - TAIL_BYTES)));
  try {
    const tail = await body.take(Math.min(TAIL_BYTES, cursor.offset));
    checkTail(name, cursor, tail);
    const end = endOf(tail, delimiters);
    if (!end)
      await checkLineEnd(open.name, { body, cursor, ends: delimiters.length > 0 ? delimiters : lineEnds(encoding) });
    const lead = endedBy(primer, delimiters, end);
    // Found anew, the delimiter could be taken for another: behind the primer stands not what stood there in the file.
    const settled = { ...options, record_delimiter: delimiters.length > 0 ? delimiters : undefined };
    const parser = new CsvParser<Row>(csv, settled, { at: cursor, primer: lead });
    await parser.write(lead);
    return { body, parser, mark, tail, offset: cursor.offset };
  } catch (error) {
    await body.close();
    throw error;
  }
}

interface Head {
  readonly mark: FileMark;
  /** The file up to the end of its first record. */
  readonly primer: Buffer;
  /** The record delimiters; none as long as the file's only line has no end. */
  readonly delimiters: Buffer[];
  readonly encoding: BufferEncoding;
}

async function readHead({ name, bytes, csv, options }: OpenCsv, cursor: CsvCursor): Promise<Head> {
  const reader = new ByteReader(bytes.from(0));
  try {
    const head = await reader.peek(HEAD_BYTES);
    checkFile(name, cursor, { head, size: bytes.size });
    const parser = new CsvParser(csv, { ...options, from: 1, to: 1, on_record: undefined, on_skip: undefined });
    const primer = await primerOf(parser, { reader, limit: cursor.offset });
    const { delimiters, encoding } = parser;
    if (primer) return { mark: fileMark(head, bytes.size), primer, delimiters: [...delimiters], encoding };
  } finally {
    await reader.close();
  }
  throw new InvalidCursorError(
    `${name} has no record before the cursor ${JSON.stringify(cursor)} with these options. ` +
      'Were they changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

/** Undefined when the first `limit` bytes hold no record. */
async function primerOf(
  parser: CsvParser<unknown>,
  { reader, limit }: { reader: ByteReader; limit: number },
): Promise<Buffer | undefined> {
  const read: Buffer[] = [];
  for (let left = limit; left > 0 && !parser.stopped; ) {
    const chunk = (await reader.next())?.subarray(0, left);
    if (!chunk) break;
    read.push(chunk);
    left -= chunk.length;
    await parser.write(chunk);
    const [end] = parser.take().offsets;
    if (end !== undefined) return Buffer.concat(read).subarray(0, end);
  }
  if (parser.stopped) return undefined;
  await parser.end();
  const [end] = parser.take().offsets;
  return end === undefined ? undefined : Buffer.concat(read).subarray(0, end);
}

/** The cursor's record ended with the file. When that was appended to, the record must have ended there. */
async function checkLineEnd(
  name: string,
  { body, cursor, ends }: { body: ByteReader; cursor: CsvCursor; ends: readonly Buffer[] },
): Promise<void> {
  const next = await body.peek(Math.max(...ends.map((end) => end.length)));
  if (next.length === 0 || ends.some((end) => next.subarray(0, end.length).equals(end))) return;
  throw changed(name, cursor, 'its last record, which had no line end, now goes on');
}

function lineEnds(encoding: BufferEncoding): Buffer[] {
  return ['\n', '\r'].map((end) => Buffer.from(end, encoding));
}

/** The primer, ended as the cursor's record is: on that depends where the next line begins. */
function endedBy(primer: Buffer, delimiters: readonly Buffer[], end: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([primer.subarray(0, primer.length - (endOf(primer, delimiters)?.length ?? 0)), end]);
}

/** The delimiter behind a record. Where one begins with another, csv-parse takes the one that is named first. */
function endOf(bytes: Buffer, delimiters: readonly Buffer[]): Buffer | undefined {
  const startsWith = (other: Buffer) => (delimiter: Buffer) => other.subarray(0, delimiter.length).equals(delimiter);
  return delimiters
    .filter((delimiter) => bytes.subarray(-delimiter.length).equals(delimiter))
    .filter((delimiter) => delimiters.find(startsWith(delimiter)) === delimiter)
    .sort((one, other) => other.length - one.length)[0];
}
