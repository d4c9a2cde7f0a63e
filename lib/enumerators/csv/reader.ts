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
