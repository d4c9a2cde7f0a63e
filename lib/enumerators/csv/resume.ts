import { InvalidCursorError } from '../../iteration.errors.js';
import type { CsvBytes } from './bytes.js';
import { bomOf } from './encoding.js';
import { type CsvCursor, changed, checkFile, checkTail, FileHead, HEAD_BYTES, TAIL_BYTES } from './fingerprint.js';
import { delimiterAt, delimiterBefore, isNewline, lineEnds } from './line-end.js';
import type { ParserOptions } from './options.js';
import { type CsvParse, CsvParser, type Learned } from './parser.js';
import { ByteReader } from './reader.js';

/** An opened CSV, and how to parse it. */
export interface OpenCsv {
  readonly name: string;
  readonly bytes: CsvBytes;
  /** From where records are to be read: {@link TAIL_BYTES} before the cursor, or the beginning. */
  readonly body: ByteReader;
  readonly csv: CsvParse;
  readonly options: ParserOptions;
}

/** The rest of a file, and a parser in the state for it. */
export interface RestOfFile<Row> {
  readonly body: ByteReader;
  readonly parser: CsvParser<Row>;
  readonly head: FileHead;
  /** The bytes before `body`, {@link TAIL_BYTES} or a little more. They end at the byte `offset`. */
  readonly tail: Buffer;
  readonly offset: number;
}

/** How long to wait for more of a slow stream before its first records are handled. Later cursors cover a longer head. */
const HEAD_MS = 200;

/** The whole file. */
export async function begin<Row>({ name, bytes, body, csv, options }: OpenCsv): Promise<RestOfFile<Row>> {
  const head = await body.peekWithin(HEAD_MS, HEAD_BYTES);
  bomOf(name, head, options);
  const parser = new CsvParser<Row>(csv, options);
  return { body, parser, head: new FileHead(head, bytes.size), tail: Buffer.alloc(0), offset: 0 };
}

/**
 * The records after the cursor's. Reads the head of the file, and then from just before the cursor on.
 *
 * @throws SourceChangedError when the file is no longer the cursor's (R10).
 */
export async function resume<Row>(open: OpenCsv, cursor: CsvCursor): Promise<RestOfFile<Row>> {
  const { name, bytes, body, csv, options } = open;
  const { head, ...learned } = await readHead(open, cursor);
  const tail = await body.take(Math.min(TAIL_BYTES, cursor.offset));
  checkTail(name, cursor, { tail, ...(bytes.size === undefined && { opened: head }) });
  const before = delimiterBefore(tail, learned.delimiters);
  const added = await takeLineEnd(open, cursor, { before, ...learned });
  const offset = cursor.offset + added.length;
  const line = cursor.line + (isNewline(before ?? added) ? 1 : 0);
  const parser = new CsvParser<Row>(csv, options, { ...learned, offset, row: cursor.row, line });
  return { body, parser, head, tail: Buffer.concat([tail, added]), offset };
}

interface Head extends Learned {
  readonly head: FileHead;
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
    const hasRecord = await parseFirstRecord(parser, { reader, limit: cursor.offset });
    if (hasRecord) return { head: new FileHead(head, bytes.size), bom, ...parser.learned };
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
async function parseFirstRecord(
  parser: CsvParser<unknown>,
  { reader, limit }: { reader: ByteReader; limit: number },
): Promise<boolean> {
  for (let left = limit; ; ) {
    const chunk = left > 0 ? (await reader.next())?.subarray(0, left) : undefined;
    const { items } = parser.parse(chunk);
    if (parser.failure) throw parser.failure.error;
    if (items.length > 0 || parser.stopped || !chunk) return items.length > 0;
    left -= chunk.length;
  }
}

interface LineEnd extends Pick<Learned, 'delimiters' | 'encoding'> {
  /** The delimiter that the cursor's record ends with; undefined when it ended with the file. */
  readonly before: Buffer | undefined;
}

/**
 * Takes the line end that was appended after a record that ended with the file; empty for none.
 *
 * @throws SourceChangedError when the record, or the line end before the cursor, continues in what was appended.
 */
async function takeLineEnd(
  { name, body }: OpenCsv,
  cursor: CsvCursor,
  { before, delimiters, encoding }: LineEnd,
): Promise<Buffer> {
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
