import { Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BuildContext,
  type Cursor,
  type Enumerator,
  EnumeratorBuilder,
  type IterationContext,
} from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { blocksOf, documentOf } from '../support/markdown.js';
import { Hold } from '../support/story.js';
import { until } from '../support/until.js';
import { createOrders, idsOf, type Order, type Orders, scanOf } from './orders.js';
import { SURROUNDINGS } from './surroundings.js';

const blocks = blocksOf(documentOf('docs/sources.md'));
const snippets = blocks.filter(({ language }) => language === 'ts');
const table = blocks.find(({ language }) => language === 'sql')?.text as string;

let compiled: Compiled;
beforeAll(() => {
  const modules = snippets.map(({ heading, module, text }) => [module, SURROUNDINGS[heading]?.(text) ?? text]);
  compiled = new Compiled(Object.fromEntries(modules));
});
afterAll(() => compiled.remove());

/** What the snippet under a heading exports, with its surroundings. */
async function exportsOf<Exports>(heading: string): Promise<Exports> {
  const { module } = snippets.find((snippet) => snippet.heading === heading) ?? { module: heading };
  return (await compiled.import(module)) as Exports;
}

describe('docs/sources.md', () => {
  it('has no block that is neither TypeScript nor SQL', () => {
    expect(blocks.filter(({ language }) => !['ts', 'sql'].includes(language))).toEqual([]);
  });

  it('has no snippet without surroundings, and surroundings for no others', () => {
    expect(snippets.map(({ heading }) => heading)).toEqual(Object.keys(SURROUNDINGS));
  });

  it('has only snippets that compile, as strictly as the library', () => {
    expect(compiled.errors).toBe('');
  });
});

describe('the source of one file in docs/sources.md', () => {
  interface Own {
    readonly Days: new (first: string, last: string, cursor: Cursor) => Enumerator<string>;
  }
  itKeepsTheEnumeratorContract('days', {
    build: async ({ cursor }) => new (await exportsOf<Own>('Your own source')).Days('2028-02-27', '2028-03-02', cursor),
    expected: ['2028-02-27', '2028-02-28', '2028-02-29', '2028-03-01', '2028-03-02'],
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
      build: ({ cursor }) => build(cursor),
      identify: ({ id }) => String(id),
      expected: () => orders.ids,
      stretches: 4,
    });
  });

  it('gives nothing of an empty table', async () => {
    const orders = await createOrders({ rows: 0, table });
    const build = await buildOf(driver, { orders, pageSize: 7 });
    expect(await idsOf(build(null))).toEqual([]);
    await orders.drop();
  });

  it('reads each page as one range of the index', async () => {
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
  it.each(EXAMPLES)('%s: exports each order once and in order, though a shutdown interrupts it', async (driver) => {
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
    ['At most once', 'loses only the signup whose handler failed', 'abcdef'],
    ['At least once', 'handles the signup again whose handler failed', 'abbcdef'],
  ])('%s: %s, and nothing at a shutdown', async (heading, _, expected) => {
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
    await until('all are handled', () => begun.join('') === expected);
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

/** The example's own build method, but for the size of its pages. */
async function buildOf(driver: string, { orders, pageSize }: { orders: Orders; pageSize: number }) {
  const { type } = await exampleOf(driver);
  const enumerators = { provide: EnumeratorBuilder, useValue: enumeratorsOf(pageSize) };
  @Module({ providers: [type, enumerators, ...(await connectionsTo(orders))] })
  class Documented {}
  const nest = await NestFactory.createApplicationContext(Documented, { logger: false, abortOnError: false });
  return (cursor: Cursor) => nest.get(type).build({ cursor } as BuildContext);
}

/** The connections of the document, to these orders. */
async function connectionsTo({ pool }: Orders): Promise<Provider[]> {
  const { connections } = await exportsOf<{ connections: Provider[] }>('Connections');
  return [...connections, { provide: Pool, useValue: pool }];
}

function enumeratorsOf(pageSize: number): EnumeratorBuilder {
  const enumerators = new EnumeratorBuilder(undefined as never, undefined as never, undefined as never);
  const keyset = enumerators.keyset.bind(enumerators);
  return Object.assign(enumerators, { keyset: (options: object) => keyset({ ...options, pageSize } as never) });
}
