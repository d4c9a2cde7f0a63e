import { createHash } from 'node:crypto';
import { InvalidCursorError, InvalidEnumeratorError, SourceChangedError } from '../../iteration.errors.js';

/** How much of a file's beginning tells it from another (R10). */
export const HEAD_BYTES = 65_536;

/** How much of the file before the cursor must be as it was (R10). */
export const TAIL_BYTES = 4_096;

/** A cursor of `csv.rows` and `csv.batches`: the last finished record, and what the file was. */
export type CsvCursor = {
  /** The byte after the record. */
  readonly offset: number;
  /** 1 for the first record; a header is not counted. */
  readonly row: number;
  /** On which the record ends, 1 for the first; only for messages and csv-parse's own options. */
  readonly line: number;
  /** Of the file in bytes, `null` when unknown. */
  readonly size: number | null;
  /** How many bytes `head` is of: all the file had when that is less than {@link HEAD_BYTES}. */
  readonly headBytes: number;
  readonly head: string;
  /** Of the {@link TAIL_BYTES} before `offset`. */
  readonly tail: string;
};

/** What a cursor remembers of the whole file. */
export type FileMark = Pick<CsvCursor, 'size' | 'headBytes' | 'head'>;

/**
 * @param call `csv.rows`, for error messages.
 * @throws InvalidCursorError for what is no cursor of a CSV.
 */
export function csvCursor(cursor: unknown, call: string): CsvCursor | null {
  if (cursor === null) return null;
  const { offset, row, line, size, headBytes, head, tail } = (cursor ?? {}) as Partial<CsvCursor>;
  const counts = [offset, row, line, size ?? 0, headBytes];
  if (
    counts.every((count) => Number.isSafeInteger(count) && (count as number) >= 0) &&
    typeof head === 'string' &&
    typeof tail === 'string'
  ) {
    return cursor as CsvCursor;
  }
  throw new InvalidCursorError(
    `The cursor ${JSON.stringify(cursor)} is not one of ${call}: an object of offset, row, line, size, headBytes, ` +
      'head and tail, or null',
    'cursor',
  );
}

/** The beginning of a file, {@link HEAD_BYTES} at most. Of a slow stream it grows with what comes. */
export class FileHead {
  #mark: FileMark;

  constructor(
    private bytes: Buffer,
    size: number | undefined,
  ) {
    this.#mark = { size: size ?? null, headBytes: bytes.length, head: digest(bytes) };
  }

  get mark(): FileMark {
    return this.#mark;
  }

  startsWith(bytes: Buffer): boolean {
    return bytes.length > 0 && this.bytes.subarray(0, bytes.length).equals(bytes);
  }

  /** Whether it holds the bytes before the cursor, as they were. */
  holds({ offset, tail }: CsvCursor): boolean {
    const start = Math.max(0, offset - TAIL_BYTES);
    return offset <= this.bytes.length && digest(this.bytes.subarray(start, offset)) === tail;
  }

  /** A chunk that stands at the byte `start`. */
  add(chunk: Buffer, start: number): void {
    const known = this.bytes.length;
    if (known >= HEAD_BYTES || start > known || start + chunk.length <= known) return;
    this.bytes = Buffer.concat([this.bytes, chunk.subarray(known - start)]).subarray(0, HEAD_BYTES);
    this.#mark = { ...this.#mark, headBytes: this.bytes.length, head: digest(this.bytes) };
  }
}

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
}

/** @throws SourceChangedError when the file is shorter than it was, or begins otherwise. */
export function checkFile(name: string, cursor: CsvCursor, { head, size }: { head: Buffer; size: number | undefined }) {
  if (size !== undefined && size < (cursor.size ?? cursor.offset)) {
    throw changed(name, cursor, `it has ${size} bytes and had ${cursor.size ?? `at least ${cursor.offset}`}`);
  }
  if (digest(head.subarray(0, cursor.headBytes)) !== cursor.head) {
    throw changed(name, cursor, `its first ${cursor.headBytes} bytes are not what they were`);
  }
}

/**
 * @param opened Of a source that is a function: the file's head, which came when it was opened at 0.
 * @throws SourceChangedError when the bytes before the cursor are others.
 * @throws InvalidEnumeratorError when they are not those that the function was asked for.
 */
export function checkTail(
  name: string,
  cursor: CsvCursor,
  { tail, opened }: { tail: Buffer; opened?: FileHead },
): void {
  if (digest(tail) === cursor.tail) return;
  if (opened && cursor.offset > TAIL_BYTES) checkStart(name, cursor, { tail, opened });
  const bytes = Math.min(TAIL_BYTES, cursor.offset);
  throw changed(
    name,
    cursor,
    tail.length < bytes ? 'it ends before the cursor' : `the ${bytes} bytes before the cursor are not what they were`,
  );
}

function checkStart(name: string, cursor: CsvCursor, { tail, opened }: { tail: Buffer; opened: FileHead }): void {
  const fromZero = opened.startsWith(tail);
  if (!fromZero && !opened.holds(cursor)) return;
  throw new InvalidEnumeratorError(
    `${name} was opened at byte ${cursor.offset - TAIL_BYTES}, and ${fromZero ? 'byte 0 came instead' : 'other bytes came'}. ` +
      'The function must begin at `start`, a byte of the decoded file: ask for a range (and for status 206), or drop as many bytes',
  );
}

/** The error for a file that is no longer the cursor's. */
export function changed(name: string, { offset, row }: CsvCursor, what: string): SourceChangedError {
  return new SourceChangedError(
    `${name} was changed since the checkpoint after row ${row} (byte ${offset}): ${what}. ` +
      "The processor's \"onChange\" decides what to do then; 'restart' starts again from the beginning",
  );
}
