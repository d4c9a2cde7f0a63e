import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { modulesOf } from './pages.js';

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('migrating'));
});
afterAll(() => compiled.remove());

const module = async (name: string) => (await compiled.import(`migrating/${name}`)) as Record<string, Type>;

describeQueues('the processors of docs/migrating.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  const start = async ({ processor, entity, providers, queue }: Record<string, unknown>) => {
    const entities = [entity as Type];
    const app = await queues.start({
      processors: [processor as Type, ...(providers as [])],
      queues: [queue as string],
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities, synchronize: true }),
        TypeOrmModule.forFeature(entities),
      ],
    });
    return { app, data: app.nest.get<DataSource>(getDataSourceToken()) };
  };

  it('the loop: each user of the plan is notified, and the job returns their number', async () => {
    const { Mailer } = await module('mailer');
    const notified: string[] = [];
    const mailer = { notify: async ({ name }: { name: string }) => void notified.push(name) };
    const { app, data } = await start({
      processor: (await module('notify-users.processor')).NotifyUsers,
      entity: (await module('user.entity')).User,
      providers: [{ provide: Mailer, useValue: mailer }],
      queue: 'maintenance',
    });
    await data.query(`INSERT INTO "user" (name, plan) VALUES ('Ada', 'pro'), ('Bela', 'free'), ('Cleo', 'pro')`);
    const job = await app.settled(await app.queue('maintenance').add('notify-users', { plan: 'pro' }));
    expect([notified, job.returnvalue]).toEqual([['Ada', 'Cleo'], 2]);
  });

  it('the steps: a page that fails in the middle resumes with the failed order', async () => {
    const { Orders } = await module('orders');
    const saved: number[] = [];
    const pages = [[1, 2, 3], [4, 5, 6], [7]];
    let isBroken = true;
    const orders = {
      page: async (_shop: string, page: number) => (pages[page - 1] ?? []).map((id) => ({ id })),
      save: async ({ id }: { id: number }) => {
        if (id === 5 && isBroken) {
          isBroken = false;
          throw new Error('once');
        }
        saved.push(id);
      },
    };
    const app = await queues.start({
      processors: [
        (await module('import-orders.processor')).ImportOrders as Type,
        { provide: Orders as Type, useValue: orders },
      ],
      queues: ['imports'],
    });
    const job = await app.settled(await app.queue('imports').add('import-orders', { shop: 'a' }, { attempts: 2 }));
    expect([saved, job.returnvalue]).toEqual([[1, 2, 3, 4, 5, 6, 7], { processed: 7, skipped: 0 }]);
  });

  it('the records: unpaid invoices are charged, and one that always fails becomes a dead letter', async () => {
    const { Bank } = await module('bank');
    const charged: number[] = [];
    const bank = {
      charge: async (id: number) => {
        if (id === 3) throw new UnpayableError('no account');
        charged.push(id);
      },
    };
    const { app, data } = await start({
      processor: (await module('charge-invoices.processor')).ChargeInvoices,
      entity: (await module('invoice.entity')).Invoice,
      providers: [{ provide: Bank, useValue: bank }],
      queue: 'billing',
    });
    await data.query('INSERT INTO invoice (paid) VALUES (false), (true), (false), (false)');
    const job = await app.settled(await app.queue('billing').add('charge-invoices', {}));
    expect([charged.toSorted(), job.returnvalue]).toEqual([[1, 4], { processed: 2, skipped: 1 }]);
    expect(await app.iterations.deadLetters(job)).toMatchObject([{ tries: 5, error: { message: 'no account' } }]);
  });
});

class UnpayableError extends Error {}
