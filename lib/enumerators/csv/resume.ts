import { InvalidCursorError } from '../../iteration.errors.js';
import type { CsvBytes } from './bytes.js';
import { bomOf } from './encoding.js';
import { type CsvCursor, changed, checkFile, checkTail, FileHead, HEAD_BYTES, TAIL_BYTES } from './fingerprint.js';
import { delimiterAt, delimiterBefore, isNewline, lineEnds } from './line-end.js';
import type { ParserOptions } from './options.js';
import { CsvParser, type Learned, type loadCsvParse } from './parser.js';
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
  readonly head: FileHead;
  /** The bytes before `body`, {@link TAIL_BYTES} or a little more; they end at the byte `offset`. */
  readonly tail: Buffer;
  readonly offset: number;
}

/** How long a slow stream is waited for until what has come is handed out: a cursor knows the rest of the head later. */
const HEAD_MS = 200;

/** The whole file. */
export async function begin<Row>({ name, bytes, csv, options }: OpenCsv): Promise<Stretch<Row>> {
  const body = new ByteReader(bytes.from(0));
  try {
    const head = await body.peekWithin(HEAD_MS, HEAD_BYTES);
    bomOf(name, head, options);
    const parser = new CsvParser<Row>(csv, options);
    return { body, parser, head: new FileHead(head, bytes.size), tail: Buffer.alloc(0), offset: 0 };
  } catch (error) {
    await body.close();
    throw error;
  }
}

/**
 * The records after the cursor's. Reads the head of the file, and then from just before the cursor on.
 *
 * @throws SourceChangedError when the file is no longer the cursor's (R10).
 */
export async function resume<Row>(open: OpenCsv, cursor: CsvCursor): Promise<Stretch<Row>> {
  const { name, bytes, csv, options } = open;
  const { head, learned, bom } = await readHead(open, cursor);
  const body = new ByteReader(bytes.from(Math.max(0, cursor.offset - TAIL_BYTES)));
  try {
    const tail = await body.take(Math.min(TAIL_BYTES, cursor.offset));
    checkTail(name, cursor, { tail, ...(bytes.size === undefined && { opened: head }) });
    const before = delimiterBefore(tail, learned.delimiters);
    const lineEnd = await takeLineEnd(open.name, { body, cursor, before, learned });
    const end = before ?? lineEnd;
    const offset = cursor.offset + lineEnd.length;
    const at = { offset, row: cursor.row, line: cursor.line + (isNewline(end) ? 1 : 0) };
    const parser = new CsvParser<Row>(csv, options, { learned, at, bom });
    return { body, parser, head, tail: Buffer.concat([tail, lineEnd]), offset };
  } catch (error) {
    await body.close();
    throw error;
  }
}

interface Head {
  readonly head: FileHead;
  readonly learned: Learned;
  readonly bom: Buffer;
}

async function readHead({ name, bytes, csv, options }: OpenCsv, cursor: CsvCursor): Promise<Head> {
  const reader = new ByteReader(bytes.from(0));
  try {
    await reader.peek(cursor.headBytes);
    const head = await reader.peekWithin(HEAD_MS, HEAD_BYTES);
    checkFile(name, cursor, { head, size: bytes.size });
    const bom = bomOf(name, head, options);
    const parser = new CsvParser(csv, { ...options, from: 1, to: 1, on_record: undefined, on_skip: undefined });
    const hasRecord = await readRecord(parser, { reader, limit: cursor.offset });
    if (hasRecord) return { head: new FileHead(head, bytes.size), learned: parser.learned, bom };
  } finally {
    await reader.close();
  }
  throw new InvalidCursorError(
    `${name} has no record before the cursor ${JSON.stringify(cursor)} with these options. ` +
      'Were they changed? Then raise the processor\'s "version"',
    'cursor',
  );
}

/** Whether there is a record in the first `limit` bytes. Nothing after it is parsed. */
async function readRecord(
  parser: CsvParser<unknown>,
  { reader, limit }: { reader: ByteReader; limit: number },
): Promise<boolean> {
  for (let left = limit; left > 0 && !parser.stopped; ) {
    const chunk = (await reader.next())?.subarray(0, left);
    if (!chunk) break;
    left -= chunk.length;
    await parser.write(chunk);
    if (parser.take().items.length > 0) return true;
  }
  if (parser.stopped) return false;
  await parser.end();
  return parser.take().items.length > 0;
}

interface LineEnd {
  readonly body: ByteReader;
  readonly cursor: CsvCursor;
  /** The delimiter that the cursor's record ends with; undefined when it ended with the file. */
  readonly before: Buffer | undefined;
  readonly learned: Learned;
}

/**
 * Takes the line end of a record that ended with the file, which was appended to since; empty for none.
 *
 * @throws SourceChangedError when the record, or the line end before the cursor, continues in what was appended.
 */
async function takeLineEnd(name: string, { body, cursor, before, learned }: LineEnd): Promise<Buffer> {
  const { delimiters, encoding } = learned;
  const ends = delimiters.length > 0 ? delimiters : lineEnds(encoding);
  const next = await body.peek(Math.max(...ends.map((end) => end.length)));
  if (next.length === 0) return next;
  if (before) {
    const now = delimiterAt(Buffer.concat([before, next]), ends);
    if (now?.equals(before)) return Buffer.alloc(0);
    throw changed(name, cursor, 'the line end before the cursor continues in what was appended');
  }
  const end = delimiterAt(next, ends);
  if (!end) throw changed(name, cursor, 'its last record, which had no line end, now continues');
  return body.take(end.length);
}
