import type { Provider, Type } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { modulesOf } from './pages.js';

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('failures'));
});
afterAll(() => compiled.remove());

describeQueues('the first processor of docs/failures.md', ['redis'], (queues) => {
  it('R24: the processor retries an item, skips it if `when` allows, and handles it at a redrive', async () => {
    const { Bank, Collect, NoSuchAccount } = (await compiled.import('failures/collect.processor')) as Record<
      string,
      Type
    >;
    const asked: string[] = [];
    let failing = 'bbbd';
    const collect = async (account: string) => {
      asked.push(account);
      if (!failing.includes(account)) return;
      failing = failing.replace(account, '');
      throw account === 'b' ? new (NoSuchAccount as Type<Error>)() : new Error('the bank is closed');
    };
    const bank: Provider = { provide: Bank as Type, useValue: { collect } };
    const app = await queues.start({ processors: [Collect as Type, bank], queues: ['billing'] });
    const job = await app.settled(await app.queue('billing').add('collect', { accounts: [...'abcd'] }));
    expect([asked.join(''), job.returnvalue]).toEqual(['abbbcdd', { processed: 3, skipped: 1 }]);

    await app.settled(await app.iterations.redrive(job));
    expect(asked.at(-1)).toBe('b');
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });
});
