import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { Job } from 'bullmq';
import type { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { IterationService } from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/until.js';
import { modulesOf } from './pages.js';

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('recipes'));
});
afterAll(() => compiled.remove());

const module = async (name: string) => (await compiled.import(`recipes/${name}`)) as Record<string, unknown>;

it('docs/recipes.md: it is day from 06:00 to 22:00', async () => {
  const isDay = (await module('archive-orders.processor')).isDay as (now: Date) => boolean;
  const at = (hour: number, minute: number) => isDay(new Date(2026, 10, 29, hour, minute));
  expect([at(5, 59), at(6, 0), at(21, 59), at(22, 0)]).toEqual([false, true, true, false]);
});

describeQueues('the processors of docs/recipes.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());
  afterEach(() => vi.restoreAllMocks());

  const start = async (processor: unknown, entity: unknown) => {
    const entities = [entity as Type];
    const app = await queues.start({
      processors: [processor as Type],
      queues: ['maintenance'],
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities, synchronize: true }),
        TypeOrmModule.forFeature(entities),
      ],
    });
    return { app, data: app.nest.get<DataSource>(getDataSourceToken()) };
  };

  it('a cursor of several columns starts after that row', async () => {
    const { ResendOrders, resendSince } = await module('resend-since');
    const { app, data } = await start(ResendOrders, (await module('order.entity')).Order);
    await data.query(`INSERT INTO orders (id, "createdAt", customer) VALUES
      (9000, '2026-10-31 23:59:59.999999+00', 'Ada'),
      (4710, '2026-11-01 00:00:00+00', 'Bela'), (4711, '2026-11-01 00:00:00+00', 'Cleo'),
      (4712, '2026-11-01 00:00:00+00', 'Dov'), (1, '2026-11-01 00:00:00.000001+00', 'Edda')`);
    const resent: unknown[] = [];
    vi.spyOn(console, 'log').mockImplementation((id) => void resent.push(id));
    const job = await (resendSince as (iterations: IterationService) => Promise<Job>)(app.iterations);
    await app.settled(job);
    expect(resent).toEqual([4712, 1]);
  });

  it('a dry run handles ten items and writes nothing; the real run handles all of them', async () => {
    const { CloseAccounts } = await module('close-accounts.processor');
    const { app, data } = await start(CloseAccounts, (await module('account.entity')).Account);
    await data.query('INSERT INTO account (idle, open) SELECT true, true FROM generate_series(1, 25)');
    const open = async () => (await data.query('SELECT count(*)::int AS n FROM account WHERE open'))[0].n as number;
    const dry = await app.settled(await app.queue('maintenance').add('close-accounts', { dry: true }));
    expect([dry.returnvalue, await open()]).toEqual([{ processed: 10, skipped: 0 }, 25]);
    await app.settled(await app.queue('maintenance').add('close-accounts', {}));
    expect(await open()).toBe(0);
  });

  it('a canary pauses the job after ten batches', async () => {
    vi.spyOn(Date.prototype, 'getHours').mockReturnValue(23);
    const { ArchiveOrders } = await module('archive-orders.processor');
    const { tryOut } = await module('try-out');
    const { app, data } = await start(ArchiveOrders, (await module('order.entity')).Order);
    await data.query(`TRUNCATE orders`);
    await data.query(`INSERT INTO orders (customer) SELECT 'Ada' FROM generate_series(1, 5200)`);
    const { id } = await (tryOut as (iterations: IterationService) => Promise<Job>)(app.iterations);
    const status = () => app.iterations.status({ queue: 'maintenance', id: id as string });
    await until('the job has paused itself', async () => (await status()).state === 'paused');
    expect(await status()).toMatchObject({ processed: 10, request: { by: 'nestjs-iteration' } });
    const [{ n }] = await data.query('SELECT count(*)::int AS n FROM orders WHERE "deletedAt" IS NULL');
    expect(n).toBe(200);
  });
});
