import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';

/**
 * Where a CSV is: a path, a file URL, a Buffer, or a function that opens it at the byte `start` (S3, HTTP ranges).
 *
 * A resumed run calls the function twice: at 0, to see whether it is the same file, and just before the cursor.
 */
export type CsvSource = string | URL | Buffer | ((range: { start: number }) => Readable | Promise<Readable>);

/** How much is read, and parsed into one page, at a time. */
export const CHUNK_BYTES = 65_536;

/** An opened {@link CsvSource}. */
export interface CsvBytes {
  /** In bytes, when it was opened; undefined = unknown. */
  readonly size: number | undefined;
  /** The bytes from `start` on, in chunks of {@link CHUNK_BYTES} at most; none behind the end. */
  from(start: number): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

/**
 * The source's name for error messages.
 *
 * @throws InvalidOptionsError for what is no source.
 */
export function nameOf(source: CsvSource): string {
  if (typeof source === 'string') return source;
  if (Buffer.isBuffer(source)) return 'the CSV in memory';
  if (typeof source === 'function') return 'the CSV stream';
  if (source instanceof URL && source.protocol === 'file:') return fileURLToPath(source);
  throw new InvalidOptionsError(
    `csv.rows cannot read ${source instanceof URL ? source.href : describe(source)}. Give it a path, a file URL, a Buffer, ` +
      'or, for whatever can be opened at any byte, a function: ({ start }) => Readable',
  );
}

/** @throws the system's error, which names the path, when the file cannot be opened. */
export function openBytes(source: CsvSource): Promise<CsvBytes> | CsvBytes {
  if (Buffer.isBuffer(source)) return { size: source.length, from: (start) => slices(source, start), close: nothing };
  if (typeof source === 'function')
    return { size: undefined, from: (start) => streamed(source, start), close: nothing };
  return openFile(source);
}

async function openFile(path: string | URL): Promise<CsvBytes> {
  const file = await open(path);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new InvalidEnumeratorError(`${path} is a directory, not a CSV file`);
    return {
      size: stats.size,
      from: (start) => chunksOf(file, start),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* chunksOf(file: FileHandle, start: number): AsyncGenerator<Buffer, void, void> {
  const read = (at: number) => file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
  let coming = read(start);
  for (let position = start; ; ) {
    const { buffer, bytesRead } = await coming;
    if (bytesRead === 0) return;
    position += bytesRead;
    coming = read(position); // while this chunk is parsed; closing the file waits for it
    coming.catch(() => {}); // asked for with the next chunk, if at all
    yield buffer.subarray(0, bytesRead);
  }
}

async function* slices(bytes: Buffer, start: number): AsyncGenerator<Buffer, void, void> {
  for (let position = start; position < bytes.length; position += CHUNK_BYTES) {
    yield bytes.subarray(position, position + CHUNK_BYTES);
    // There is no I/O to wait for, so without this a stretch without records would starve the event loop.
    await setImmediate();
  }
}

async function* streamed(source: Extract<CsvSource, (...args: never[]) => unknown>, start: number) {
  const stream: unknown = await source({ start });
  if (typeof stream !== 'object' || stream === null || !(Symbol.asyncIterator in stream)) {
    throw new InvalidEnumeratorError(`The function given to csv.rows returned ${describe(stream)}, not a Readable`);
  }
  for await (const chunk of stream as AsyncIterable<unknown>) {
    if (!(chunk instanceof Uint8Array)) {
      throw new InvalidEnumeratorError(
        `The stream given to csv.rows gave ${describe(chunk)}, not bytes, so its position is unknown. ` +
          'Do not set its encoding: "encoding" is an option of csv.rows',
      );
    }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
  }
}

/** Chunks that can be looked into before they are taken. */
export class ByteReader {
  readonly #chunks: AsyncGenerator<Buffer, void, void>;
  readonly #ahead: Buffer[] = [];
  #aheadBytes = 0;

  constructor(chunks: AsyncGenerator<Buffer, void, void>) {
    this.#chunks = chunks;
  }

  /** The next chunk, undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    const chunk = this.#ahead.shift();
    this.#aheadBytes -= chunk?.length ?? 0;
    return chunk ?? (await this.#chunks.next()).value ?? undefined;
  }

  /** The next `count` bytes without taking them; fewer at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#aheadBytes < count) {
      const { value } = await this.#chunks.next();
      if (!value) break;
      this.#ahead.push(value);
      this.#aheadBytes += value.length;
    }
    return Buffer.concat(this.#ahead).subarray(0, count);
  }

  /** The next `count` bytes; fewer at the end. */
  async take(count: number): Promise<Buffer> {
    const taken = await this.peek(count);
    for (let left = taken.length; left > 0; ) {
      const chunk = (await this.next()) as Buffer;
      if (chunk.length > left) {
        this.#ahead.unshift(chunk.subarray(left));
        this.#aheadBytes += chunk.length - left;
      }
      left -= Math.min(left, chunk.length);
    }
    return taken;
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  return typeof value === 'string' ? 'a string' : String(value);
}

async function nothing(): Promise<void> {}
