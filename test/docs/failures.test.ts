import type { Provider, Type } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/failures.md'));

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(Object.fromEntries(blocks.map(({ module, text }) => [module, text])));
});
afterAll(() => compiled.remove());

describe('docs/failures.md', () => {
  it('every code block is TypeScript and compiles, under the compiler options of the library', () => {
    expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(['ts']));
    expect(compiled.errors).toBe('');
  });
});

describeQueues('the first processor of docs/failures.md', ['redis'], (queues) => {
  it('R24: the processor retries an item, skips it if `when` allows, and handles it at a redrive', async () => {
    const [first] = blocks;
    const { Bank, Collect, NoSuchAccount } = (await compiled.import(first?.module as string)) as Record<string, Type>;
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
