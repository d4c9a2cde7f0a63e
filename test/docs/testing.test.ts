import type { INestApplicationContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EnumeratorBuilder } from '../../lib/index.js';
import { Gate } from '../../lib/testing/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { modulesOf } from './pages.js';

interface Billing {
  send(invoice: { id: string }): Promise<void>;
}

interface Deploy {
  readonly survivesADeploy: (app: INestApplicationContext, gate: Gate) => Promise<void>;
}

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('testing'));
});
afterAll(() => compiled.remove());

const module = async <Exports>(name: string) => (await compiled.import(`testing/${name}`)) as Exports;

describe('docs/testing.md', () => {
  it.each([
    ['send-invoices.spec', 2],
    ['send-invoices.module.spec', 2],
    ['billing.service.spec', 1],
    ['letters.spec', 1],
    ['any-interruptions.spec', 2],
  ])('R1: the tests of %s pass', async (name, count) => {
    const tests = await compiled.testsOf(`testing/${name}`);
    expect(tests).toHaveLength(count);
    for (const [, run] of tests) await run();
  });

  it('R25: the cases of transaction.host.cases are declared', async () => {
    const tests = await compiled.testsOf('testing/transaction.host.cases');
    const { itKeepsItsPromises } = await module<{ itKeepsItsPromises: () => void }>('transaction.host.cases');
    itKeepsItsPromises();
    expect(tests.length).toBeGreaterThan(5);
  });
});

describeQueues('the deploy of docs/testing.md', ['redis'], (queues) => {
  it('R5: the test interrupts a real worker', async () => {
    const { SendInvoices } = await module<{ SendInvoices: new (...values: unknown[]) => object }>('send-invoices');
    const { FakeBilling } = await module<{ FakeBilling: new () => Billing }>('fake-billing');
    const gate = new Gate();
    class HeldBilling extends FakeBilling {
      override async send(invoice: { id: string }) {
        if (invoice.id === '11-1b') await gate.wait();
        await super.send(invoice);
      }
    }
    await compiled.testsOf('testing/survives-a-deploy');
    const { survivesADeploy } = await module<Deploy>('survives-a-deploy');
    const processor = new SendInvoices(new HeldBilling(), new EnumeratorBuilder());
    const app = await queues.start({
      processors: [{ provide: SendInvoices, useValue: processor }],
      queues: ['billing'],
    });
    await survivesADeploy(app.nest, gate);
  });
});
