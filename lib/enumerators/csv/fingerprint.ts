import { createHash } from 'node:crypto';
import { InvalidCursorError, SourceChangedError } from '../../iteration.errors.js';

/** How much of a file's beginning tells it from another (R10). */
export const HEAD_BYTES = 65_536;

/** How much of the file before the cursor must be as it was (R10). */
export const TAIL_BYTES = 4_096;

/** A cursor of `csv.rows` and `csv.batches`: the last finished record, and what the file was. */
export type CsvCursor = {
  /** Of the byte behind the record. */
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

export function fileMark(head: Buffer, size: number | undefined): FileMark {
  return { size: size ?? null, headBytes: head.length, head: digest(head) };
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

/** @throws SourceChangedError when the bytes before the cursor are others. */
export function checkTail(name: string, cursor: CsvCursor, tail: Buffer): void {
  if (digest(tail) === cursor.tail) return;
  const bytes = Math.min(TAIL_BYTES, cursor.offset);
  throw changed(
    name,
    cursor,
    tail.length < bytes ? 'it ends before the cursor' : `the ${bytes} bytes before the cursor are not what they were`,
  );
}

/** The error for a file that is no longer the cursor's. */
export function changed(name: string, { offset, row }: CsvCursor, what: string): SourceChangedError {
  return new SourceChangedError(
    `${name} was changed since the checkpoint behind row ${row} (byte ${offset}): ${what}. ` +
      "The processor's \"onChange\" decides what to do then; 'restart' begins anew",
  );
}
