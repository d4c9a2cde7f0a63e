import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InvalidEnumeratorError, InvalidOptionsError, SourceChangedError } from '../../iteration.errors.js';
import { called } from '../contract/index.js';

/**
 * Where a CSV is: a path, a file URL, a Buffer, or a function that opens it at the byte `start` (S3, HTTP ranges).
 *
 * A resumed run calls the function twice: at 0, to check that it is the same file, and just before the cursor. Each stream is
 * destroyed as soon as it is no longer needed. At 0, ask for the whole file: S3 and HTTP refuse a range of an empty object.
 */
export type CsvSource = string | URL | Buffer | OpenStream;

/** Opens a stream that begins at a byte. */
type OpenStream = (range: { start: number }) => Readable | Promise<Readable>;

/** How much is read at a time, and parsed into one page. */
const CHUNK_BYTES = 65_536;

/** An opened {@link CsvSource}. */
export interface CsvBytes {
  /** Size in bytes when it was opened; undefined = unknown. */
  readonly size: number | undefined;
  /** The bytes from `start` on, in chunks of at most {@link CHUNK_BYTES}; none after the end. */
  from(start: number): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

/** The call that reads, and how long it reads. */
export interface Reading {
  /** `csv.rows`, for error messages. */
  readonly call: string;
  /** Aborted when no more is needed. A stalled stream is then destroyed. */
  readonly signal: AbortSignal;
}

/**
 * Name of the source for error messages.
 *
 * @throws InvalidOptionsError for a value that is not a source.
 */
export function nameOf(source: CsvSource, call: string): string {
  if (typeof source === 'string') return source;
  if (Buffer.isBuffer(source)) return 'the CSV in memory';
  if (typeof source === 'function') return 'the CSV stream';
  if (source instanceof URL && source.protocol === 'file:') return fileURLToPath(source);
  throw new InvalidOptionsError(
    `${call} cannot read ${source instanceof URL ? source.href : describe(source)}. Give it a path, a file URL, a Buffer, ` +
      'or a function that opens it at any byte: ({ start }) => Readable',
  );
}

/** @throws the system's error, which names the path, when the file cannot be opened. */
export function openBytes(source: CsvSource, reading: Reading): Promise<CsvBytes> | CsvBytes {
  if (Buffer.isBuffer(source)) return { size: source.length, from: (start) => slices(source, start), close: nothing };
  if (typeof source === 'function') {
    return { size: undefined, from: (start) => streamed(source, start, reading), close: nothing };
  }
  return openFile(source);
}

async function openFile(path: string | URL): Promise<CsvBytes> {
  const file = await open(path);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new InvalidEnumeratorError(`${path} is a directory, not a CSV file`);
    return {
      size: stats.size,
      from: (start) => chunksOf({ file, path, size: stats.size }, start),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface OpenFile {
  readonly file: FileHandle;
  readonly path: string | URL;
  readonly size: number;
}

/** @throws SourceChangedError when the file is cut while it is read: its last record may be incomplete. */
async function* chunksOf({ file, path, size }: OpenFile, start: number): AsyncGenerator<Buffer, void, void> {
  const read = (at: number) => file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
  let coming = read(start);
  for (let position = start; ; ) {
    const { buffer, bytesRead } = await coming;
    if (bytesRead === 0 && position >= size) return;
    if (bytesRead === 0) {
      throw new SourceChangedError(
        `${path} was changed while it was read: it had ${size} bytes, and ends at byte ${position} now`,
      );
    }
    position += bytesRead;
    coming = read(position); // while this chunk is parsed; closing the file waits for it
    coming.catch(() => {}); // awaited for the next chunk, if at all
    yield buffer.subarray(0, bytesRead);
  }
}

async function* slices(bytes: Buffer, start: number): AsyncGenerator<Buffer, void, void> {
  for (let position = start; position < bytes.length; position += CHUNK_BYTES) {
    yield bytes.subarray(position, position + CHUNK_BYTES);
    // There is no I/O to wait for, so a long part without records would starve the event loop.
    await setImmediate();
  }
}

async function* streamed(source: OpenStream, start: number, { call, signal }: Reading) {
  signal.throwIfAborted();
  const stream = await opened(
    called(`The function given to ${call}`, () => source({ start })),
    signal,
  );
  if (typeof stream !== 'object' || stream === null || !(Symbol.asyncIterator in stream)) {
    throw new InvalidEnumeratorError(`The function given to ${call} returned ${describe(stream)}, not a Readable`);
  }
  const abandon = () => destroy(stream);
  signal.addEventListener('abort', abandon);
  try {
    for await (const chunk of stream as AsyncIterable<unknown>) {
      if (!(chunk instanceof Uint8Array)) {
        throw new InvalidEnumeratorError(
          `The stream given to ${call} yielded ${describe(chunk)}, not bytes, so its position is unknown. ` +
            `Do not set its encoding: "encoding" is an option of ${call}`,
        );
      }
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
    }
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}

/** Destroys a stream that opens when it is no longer needed. */
function opened(opening: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  const aborted = once(signal, 'abort').then(() => Promise.reject(signal.reason));
  return Promise.race([opening, aborted]).catch((error) => {
    opening.then(destroy, () => {});
    throw error;
  });
}

/** Destroys also a stream of the package readable-stream, which is not an instance of Node's Readable. */
function destroy(stream: unknown): void {
  const { on, destroy } = (stream ?? {}) as Partial<Readable>;
  if (typeof on !== 'function' || typeof destroy !== 'function') return;
  on.call(stream, 'error', () => {}); // a response that is cut off emits it
  destroy.call(stream);
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  return typeof value === 'string' ? 'a string' : String(value);
}

async function nothing(): Promise<void> {}
