import { setTimeout as delay } from 'node:timers/promises';

/** Length of the longest BOM. */
const FIRST_BYTES = 4;

/** Reads chunks, and can look ahead before taking them. */
export class ByteReader {
  readonly #chunks: AsyncGenerator<Buffer, void, void>;
  readonly #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** A chunk that was requested, and had not arrived when the last wait ended. */
  #coming: Promise<IteratorResult<Buffer, void>> | undefined;

  constructor(chunks: AsyncGenerator<Buffer, void, void>) {
    this.#chunks = chunks;
  }

  /** The next chunk; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    const chunk = this.#ahead.shift();
    this.#aheadBytes -= chunk?.length ?? 0;
    return chunk ?? (await this.#read()).value ?? undefined;
  }

  /** The next `count` bytes without taking them; fewer at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#aheadBytes < count && (await this.#readAhead()));
    return Buffer.concat(this.#ahead).subarray(0, count);
  }

  /** As {@link peek}, but waits at most `ms` for more once the first bytes have arrived. */
  async peekWithin(ms: number, count: number): Promise<Buffer> {
    await this.peek(Math.min(FIRST_BYTES, count));
    const ended = new AbortController();
    const late = delay(ms, false, { ref: false, signal: ended.signal }).catch(() => false);
    try {
      while (this.#aheadBytes < count && (await Promise.race([this.#readAhead(), late])));
    } finally {
      ended.abort();
    }
    return this.peek(Math.min(this.#aheadBytes, count));
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

  /** Whether there was another chunk. */
  async #readAhead(): Promise<boolean> {
    this.#coming ??= this.#chunks.next();
    const coming = this.#coming;
    const { value } = await coming;
    if (!value) return false;
    if (this.#coming !== coming) return true; // another call has taken it
    this.#coming = undefined;
    this.#ahead.push(value);
    this.#aheadBytes += value.length;
    return true;
  }

  #read(): Promise<IteratorResult<Buffer, void>> {
    const coming = this.#coming ?? this.#chunks.next();
    this.#coming = undefined;
    return coming;
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}
