import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { Enumerator } from '../../lib/enumerators/contract/index.js';
import type { readerOf } from './pages.js';

/** Returns a function that writes files, which are removed after the tests. */
export function temporaryFiles(): (content: string | Uint8Array) => string {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-iteration-csv-'));
  let files = 0;
  afterAll(() => rmSync(directory, { recursive: true }));
  return (content) => {
    const path = join(directory, `${++files}.csv`);
    writeFileSync(path, content);
    return path;
  };
}

/** A source that returns its bytes in chunks of these sizes, repeatedly. */
export function chunked(bytes: Buffer, ...sizes: number[]): (range: { start: number }) => Readable {
  return ({ start }) => Readable.from(slices(bytes.subarray(start), sizes.length ? sizes : [65_536]));
}

export function* slices(bytes: Buffer, sizes: readonly number[], served: (size: number) => void = () => {}) {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] as number;
    const slice = bytes.subarray(at, at + size);
    served(slice.length);
    yield slice;
    at += size;
  }
}

/** One request, and how many bytes of its response were sent. */
export interface Served {
  readonly range: string | undefined;
  bytes: number;
  /** Whether the whole response was sent. */
  finished: boolean;
}

/** Serves bytes as S3 does; `/cut` closes the connection early, `/stall` sends nothing from byte 200,000 on. */
export function httpServer() {
  let server: Server;
  let content: Buffer = Buffer.alloc(0);
  const served: Served[] = [];
  beforeAll(async () => {
    server = createServer(({ headers, url }, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1]);
      const request: Served = { range: headers.range, bytes: 0, finished: false };
      served.push(request);
      if (!(start < content.length)) return response.writeHead(416).end();
      response.writeHead(206, { 'content-length': content.length - start });
      if (url === '/cut') return response.write(content.subarray(start, start + 100_000), () => response.destroy());
      if (url === '/stall') return response.write(content.subarray(start, 200_000));
      const body = Readable.from(slices(content.subarray(start), [16_384], (size) => (request.bytes += size)));
      return pipeline(body, response).then(
        () => (request.finished = true),
        () => {}, // the reader stopped
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const request =
    (path: string) =>
    ({ start }: { start: number }) =>
      new Promise<Readable>((resolve, reject) => {
        const { port } = server.address() as AddressInfo;
        get({ port, path, headers: { range: `bytes=${start}-` }, agent: false }, (response) =>
          response.statusCode === 206 ? resolve(response) : reject(new Error(`status ${response.statusCode}`)),
        ).on('error', reject);
      });
  return {
    /** Sets the bytes to serve from now on. */
    serve(bytes: Buffer): Served[] {
      content = bytes;
      served.length = 0;
      return served;
    },
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    source: request('/'),
    cutOff: request('/cut'),
    stalled: request('/stall'),
  };
}

export async function drain<Item>(reader: ReturnType<typeof readerOf<Item>>): Promise<Item[]> {
  const drained: Item[] = [];
  for (let page = await reader.next(); page; page = await reader.next()) drained.push(...page.items);
  return drained;
}

export async function all<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const pairs: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) pairs.push(pair);
  return pairs;
}

export async function items<Item>(enumerator: Enumerator<Item>): Promise<Item[]> {
  return (await all(enumerator)).map(([item]) => item);
}

export async function cursorOf(enumerator: Enumerator<unknown>, index: number): Promise<Cursor> {
  let position = 0;
  for await (const [, cursor] of enumerator) if (position++ === index) return cursor;
  throw new Error(`there is no record ${index}`);
}

/** 300 KB in 100 rows: long records of characters of several bytes, quotes and newlines. */
export function largeCsv(): Buffer {
  const rows = Array.from({ length: 100 }, (_, index) => `${index},"${'🙂é"",\n漢'.repeat(230 + (index % 7))}"\n`);
  return Buffer.from(`id,name\n${rows.join('')}`);
}

/** The numbers from 1, under the header `n`. */
export function numbers(count: number): string {
  return `n\n${Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('')}`;
}
