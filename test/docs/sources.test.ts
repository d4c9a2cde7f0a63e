import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BuildContext,
  CsvEnumeratorBuilder,
  type CsvSource,
  type Cursor,
  type Enumerator,
  EnumeratorBuilder,
  type IterationContext,
} from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { all, cursorOf, temporaryFiles } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { blocksOf, documentOf } from '../support/markdown.js';
import { Hold } from '../support/story.js';
import { until } from '../support/until.js';
import { createOrders, idsOf, type Order, type Orders, scanOf } from './orders.js';
import { modulesOf } from './pages.js';
import { SURROUNDINGS } from './surroundings.js';

const blocks = blocksOf(documentOf('docs/sources.md'));
const snippets = blocks.filter(({ language }) => language === 'ts');
const table = blocks.find(({ language }) => language === 'sql')?.text as string;

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('sources'));
});
afterAll(() => compiled.remove());

/** What the snippet under a heading exports, with its surroundings. */
async function exportsOf<Exports>(heading: string): Promise<Exports> {
  const { module } = snippets.find((snippet) => snippet.heading === heading) ?? { module: heading };
  return (await compiled.import(`sources/${module}`)) as Exports;
}

describe('docs/sources.md', () => {
  it('every code block is TypeScript or SQL', () => {
    expect(blocks.filter(({ language }) => !['ts', 'sql'].includes(language))).toEqual([]);
  });

  it('every snippet has surrounding code in SURROUNDINGS, and nothing else has', () => {
    expect(snippets.map(({ heading }) => heading)).toEqual(Object.keys(SURROUNDINGS));
  });
});

describe('the custom source of docs/sources.md', () => {
  interface Own {
    readonly Days: new (first: string, last: string, cursor: Cursor) => Enumerator<string>;
  }
  itKeepsTheEnumeratorContract('days', {
    size: 'exact',
    build: async ({ cursor }) => new (await exportsOf<Own>('Your own source')).Days('2028-02-27', '2028-03-02', cursor),
    expected: ['2028-02-27', '2028-02-28', '2028-02-29', '2028-03-01', '2028-03-02'],
  });
});

describe('the CSV of docs/sources.md', () => {
  const csv = new CsvEnumeratorBuilder();
  const fileOf = temporaryFiles();
  const text = `id,name\n${Array.from({ length: 120 }, (_, index) => `${index},Zürich ${'x'.repeat(999)}\n`).join('')}`;
  const expected = Array.from({ length: 120 }, (_, index) => `${index} Zürich`);
  const identify = ({ id, name }: Record<string, string>) => `${id} ${name?.slice(0, 6)}`;
  const sourceOf = { identify, expected, size: 'none', stretches: 3 } as const;
  const server = createServer(({ headers, url }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const ranged = headers.range !== undefined && url !== '/no-ranges';
    response.writeHead(ranged ? 206 : 200).end(Buffer.from(text).subarray(ranged ? start : 0));
  });
  const url = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  beforeAll(async () => void (await once(server.listen(0, '127.0.0.1'), 'listening')));
  afterAll(() => server.close());

  interface S3 {
    readonly Documented: new (...of: unknown[]) => { build(context: unknown): Enumerator<Record<string, string>> };
  }
  const s3 = {
    send: async ({ input }: { input: { Key: string; Range?: string } }) => {
      if (input.Key !== 'people.csv') throw new Error('NoSuchKey');
      const start = Number(/\d+/.exec(input.Range ?? '0')?.[0]);
      return { Body: Readable.from([Buffer.from(text).subarray(start)]) };
    },
  };
  itKeepsTheEnumeratorContract('S3', {
    ...sourceOf,
    build: async ({ cursor }) => {
      const { Documented } = await exportsOf<S3>('S3');
      return new Documented({ csv }, s3).build({ cursor, data: { key: 'people.csv' } });
    },
  });

  interface Http {
    readonly overHttp: (url: string) => CsvSource;
  }
  itKeepsTheEnumeratorContract('HTTP', {
    ...sourceOf,
    build: async (at) => csv.rows((await exportsOf<Http>('HTTP')).overHttp(url('/')), at),
  });

  it('HTTP: the error says that the server ignores range requests', async () => {
    const { overHttp } = await exportsOf<Http>('HTTP');
    const cursor = await cursorOf(csv.rows(overHttp(url('/')), { cursor: null }), 90);
    const resumed = csv.rows(overHttp(url('/no-ranges')), { cursor });
    await expect(all(resumed)).rejects.toThrow(/ answered 200 for byte \d+$/);
  });

  interface Decoding {
    readonly gunzipped: (path: string) => CsvSource;
    readonly decoded: (path: string, encoding: string) => CsvSource;
  }
  const decoding = () => exportsOf<Decoding>('Compressed, or in another encoding');
  const compressed = fileOf(gzipSync(text));
  itKeepsTheEnumeratorContract('gzip', {
    ...sourceOf,
    build: async (at) => csv.rows((await decoding()).gunzipped(compressed), at),
  });
  it.each([
    ['windows-1252', Buffer.from(text, 'latin1')],
    ['utf-16be', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
  ])('csv.rows reads and resumes a file in %s', async (encoding, bytes) => {
    const source = (await decoding()).decoded(fileOf(bytes), encoding);
    const whole = await all(csv.rows(source, { cursor: null }));
    expect(whole.map(([row]) => identify(row))).toEqual(expected);
    const rest = await all(csv.rows(source, { cursor: whole[89]?.[1] as Cursor }));
    expect(rest.map(([row]) => identify(row))).toEqual(expected.slice(90));
  });

  it('a silent stream rejects and is destroyed', async () => {
    const { timed } = await exportsOf<{ timed: (stream: Readable, ms: number) => Readable }>('A silent stream');
    const stream = new Readable({ read() {} });
    stream.push('n\n1\n2\n');
    const reading = all(csv.rows(() => timed(stream, 50), { cursor: null }));
    await expect(reading).rejects.toThrow('The stream gave nothing for 50 ms');
    expect(stream.destroyed).toBe(true);
  });
});

interface Handler<Item> {
  each(item: Item, context: IterationContext): Promise<void>;
}

const EXAMPLES = ['pg', 'Kysely', 'Drizzle'];

describe.each(EXAMPLES)('the keyset of docs/sources.md by %s', (driver) => {
  describe.each([2, 7])('over 200 rows in pages of %i', (pageSize) => {
    let orders: Orders;
    let build: Awaited<ReturnType<typeof buildOf>>;
    beforeAll(async () => {
      orders = await createOrders({ rows: 200, table });
      build = await buildOf(driver, { orders, pageSize });
    });
    afterAll(() => orders.drop());

    itKeepsTheEnumeratorContract('orders of one microsecond', {
      size: 'none',
      build: ({ cursor }) => build(cursor),
      identify: ({ id }) => String(id),
      expected: () => orders.ids,
      stretches: 4,
    });
  });

  it('the keyset yields no row of an empty table', async () => {
    const orders = await createOrders({ rows: 0, table });
    const build = await buildOf(driver, { orders, pageSize: 7 });
    expect(await idsOf(build(null))).toEqual([]);
    await orders.drop();
  });

  it('the keyset reads each page as one index range', async () => {
    const orders = await createOrders({ rows: 20_000, table });
    const build = await buildOf(driver, { orders, pageSize: 1000 });
    expect(await idsOf(build(null))).toEqual(orders.ids);
    const [first, ...others] = orders.plans.map(scanOf);
    expect(first).toMatchObject({ 'Node Type': 'Index Scan', 'Actual Rows': 1000 });
    expect(others).toHaveLength(20);
    for (const scan of others) {
      expect(scan['Index Cond']).toMatch(/^\(ROW\(created_at, id\) > ROW\('.*'::timestamp.*, '\d+'::bigint\)\)$/);
      expect(scan['Actual Rows']).toBeLessThanOrEqual(1000);
    }
    await orders.drop();
  });
});

describeQueues('the processors of docs/sources.md', ['redis'], (queues) => {
  it.each(EXAMPLES)('%s: the processor exports each order once, in order, across a shutdown', async (driver) => {
    const orders = await createOrders({ rows: 200, table });
    const { type, handler } = await exampleOf(driver);
    const processors = [type, ...(await connectionsTo(orders))];
    const exported: string[] = [];
    const hold = new Hold(orders.ids[70] as string);
    handler.each = async ({ id }, context) => {
      await hold.each(String(id), context as never);
      exported.push(String(id));
    };

    const first = await queues.start({ processors, queues: ['orders'] });
    const job = await first.iterations.enqueue(type);
    await hold.reached;
    await first.close();
    expect(exported).toEqual(orders.ids.slice(0, 71));

    const second = await queues.start({ processors, queues: ['orders'] });
    const { returnvalue } = await second.settled(job);
    expect(exported).toEqual(orders.ids);
    expect(returnvalue).toEqual({ processed: 200, skipped: 0 });
    await second.close();
    await orders.drop();
  });

  it.each([
    ['At most once', 'loses only the failed signup', 'abcdef'],
    ['At least once', 'repeats only the failed signup', 'abbcdef'],
  ])('%s: the job %s, and nothing at a shutdown', async (heading, _, expected) => {
    const { Documented, handler } = await exportsOf<{ Documented: Type; handler: Handler<string> }>(heading);
    const redis = new Redis(process.env.REDIS_URL as string, { keyPrefix: queues.place.prefix as string });
    await redis.rpush('signups', ...'abcdef');
    const hold = new Hold('c');
    const begun: string[] = [];
    handler.each = async (signup, context) => {
      begun.push(signup);
      if (begun.join('') === 'ab') throw new Error('no mail today');
      await hold.each(signup, context as never);
    };
    const app = { processors: [Documented, { provide: Redis, useValue: redis }], queues: ['documented'] };

    const first = await queues.start(app);
    await first.queue('documented').add('read', {}, { attempts: 2 });
    await hold.reached;
    await first.close();
    const second = await queues.start(app);
    await until('all signups are handled', () => begun.join('') === expected);
    await second.close();
    expect(await redis.exists('signups', 'taken')).toBe(0);
    await redis.quit();
  });
});

async function exampleOf(driver: string): Promise<{ type: Type<Exporting>; handler: Handler<Order> }> {
  const { handler, ...exported } = await exportsOf<{ handler: Handler<Order>; [name: string]: unknown }>(driver);
  return { handler, type: Object.values(exported)[0] as Type<Exporting> };
}

interface Exporting {
  build(context: BuildContext): Enumerator<Order>;
}

/** The example's own build method, with another page size. */
async function buildOf(driver: string, { orders, pageSize }: { orders: Orders; pageSize: number }) {
  const { type } = await exampleOf(driver);
  const enumerators = { provide: EnumeratorBuilder, useValue: enumeratorsOf(pageSize) };
  @Module({ providers: [type, enumerators, ...(await connectionsTo(orders))] })
  class Documented {}
  const nest = await NestFactory.createApplicationContext(Documented, { logger: false, abortOnError: false });
  return (cursor: Cursor) => nest.get(type).build({ cursor } as BuildContext);
}

/** The providers of connections that the document shows, for the database of these orders. */
async function connectionsTo({ pool }: Orders): Promise<Provider[]> {
  const { connections } = await exportsOf<{ connections: Provider[] }>('Connections');
  return [...connections, { provide: Pool, useValue: pool }];
}

function enumeratorsOf(pageSize: number): EnumeratorBuilder {
  const enumerators = new EnumeratorBuilder();
  const keyset = enumerators.keyset.bind(enumerators);
  return Object.assign(enumerators, { keyset: (options: object) => keyset({ ...options, pageSize } as never) });
}
