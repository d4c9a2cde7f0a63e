import { createHash } from 'node:crypto';
import { InvalidCursorError, InvalidEnumeratorError, SourceChangedError } from '../../iteration.errors.js';

/** How much of a file's beginning identifies it (R10). */
export const HEAD_BYTES = 65_536;

/** How many bytes before the cursor must be unchanged (R10). */
export const TAIL_BYTES = 4_096;

/** A cursor of `csv.rows` and `csv.batches`: the last finished record, and a fingerprint of the file. */
export type CsvCursor = {
  /** The byte after the record. */
  readonly offset: number;
  /** 1 for the first record. A header is not counted. */
  readonly row: number;
  /** The line on which the record ends, 1 for the first. Used only in messages and for options of csv-parse. */
  readonly line: number;
  /** Size of the file in bytes; `null` when unknown. */
  readonly size: number | null;
  /** How many bytes `head` covers: {@link HEAD_BYTES}, or all that the file had. */
  readonly headBytes: number;
  /** Digest of the beginning of the file. */
  readonly head: string;
  /** Digest of the {@link TAIL_BYTES} before `offset`. */
  readonly tail: string;
};

/** The part of a cursor that is about the whole file. */
export type FileMark = Pick<CsvCursor, 'size' | 'headBytes' | 'head'>;

/**
 * @param call `csv.rows`, for error messages.
 * @throws InvalidCursorError for a value that is not a cursor of a CSV.
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

/** The beginning of a file, at most {@link HEAD_BYTES}. With a slow stream it grows as chunks arrive. */
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

  /** Whether it contains the bytes before the cursor, unchanged. */
  holds({ offset, tail }: CsvCursor): boolean {
    const start = Math.max(0, offset - TAIL_BYTES);
    return offset <= this.bytes.length && digest(this.bytes.subarray(start, offset)) === tail;
  }

  /** @param start Position of the chunk in the file. */
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

/** @throws SourceChangedError when the file is shorter than before, or its beginning has changed. */
export function checkFile(name: string, cursor: CsvCursor, { head, size }: { head: Buffer; size: number | undefined }) {
  if (size !== undefined && size < (cursor.size ?? cursor.offset)) {
    throw changed(name, cursor, `it has ${size} bytes and had ${cursor.size ?? `at least ${cursor.offset}`}`);
  }
  if (digest(head.subarray(0, cursor.headBytes)) !== cursor.head) {
    throw changed(name, cursor, `its first ${cursor.headBytes} bytes are not what they were`);
  }
}

/**
 * @param opened For a source that is a function: the head of the file, from when it was opened at 0.
 * @throws SourceChangedError when the bytes before the cursor have changed.
 * @throws InvalidEnumeratorError when the function did not start at the requested byte.
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
    `${name} was opened at byte ${cursor.offset - TAIL_BYTES}, but it started at ${fromZero ? 'byte 0' : 'another byte'}. ` +
      'The function must start at the byte `start` of the decoded file: request a range (and check for status 206), or skip ' +
      'that many bytes',
  );
}

/** The error for a file that is no longer the cursor's. */
export function changed(name: string, { offset, row }: CsvCursor, what: string): SourceChangedError {
  return new SourceChangedError(
    `${name} was changed since the checkpoint after row ${row} (byte ${offset}): ${what}. ` +
      "The processor's \"onChange\" decides what happens then; 'restart' starts again from the beginning",
  );
}
