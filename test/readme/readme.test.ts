import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { blocksOf, documentOf } from '../support/markdown.js';
import { type Data, Hold } from '../support/story.js';
import { SURROUNDINGS } from './surroundings.js';

const readme = documentOf('README.md');
const blocks = blocksOf(readme);
const snippets = blocks.filter(({ language }) => language === 'ts');
const firstOfOurs = snippets.find(({ text }) => text.includes('@IterativeProcessor('));

let compiled: Compiled;
beforeAll(() => {
  const modules = snippets.map(({ firstLine, module, text }) => [module, SURROUNDINGS[firstLine]?.(text) ?? text]);
  compiled = new Compiled(Object.fromEntries(modules));
});
afterAll(() => compiled.remove());

describe('README.md', () => {
  it('has no block that is neither TypeScript nor a command', () => {
    expect(blocks.filter(({ language }) => !['ts', 'sh'].includes(language))).toEqual([]);
  });

  it('has no snippet without surroundings, and surroundings for no others', () => {
    expect(snippets.map(({ firstLine }) => firstLine)).toEqual(Object.keys(SURROUNDINGS));
  });

  it('has only snippets that compile, as strictly as the library', () => {
    expect(compiled.errors).toBe('');
  });

  it('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(documentOf('package.json'));
    const named = [...readme.matchAll(/\bnpm (?:run ([\w:-]+)|test)/g)].map(([, script = 'test']) => script);
    expect(named.filter((script) => !scripts[script])).toEqual([]);
    expect(named).not.toEqual([]);
  });
});

/** What the module of the first snippet exports. */
interface Notifying {
  readonly NotifyUsers: Type;
  readonly User: Type<{ id: number; name: string; plan: string }>;
  readonly mail: { send: (user: { name: string }, context: IterationContext<Data>) => Promise<void> };
}

describeQueues('the first snippet of README.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('notifies each user of the plan once and in order, though a shutdown interrupts it', async () => {
    const { NotifyUsers, User, mail } = (await compiled.import(firstOfOurs?.module as string)) as Notifying;
    const start = () =>
      queues.start({
        processors: [NotifyUsers],
        queues: ['maintenance'],
        imports: [
          TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities: [User], synchronize: true }),
          TypeOrmModule.forFeature([User]),
        ],
      });
    const notified: string[] = [];
    const hold = new Hold('at the third');
    mail.send = async ({ name }, context) => {
      if (notified.length === 2) await hold.each('at the third', context);
      notified.push(name);
    };

    const first = await start();
    const names = ['Ada', 'Zoe', 'Bela', 'Yuri', 'Cleo', 'Xian', 'Dov', 'Wim', 'Edda'];
    const users = names.map((name, index) => ({ name, plan: index % 2 === 0 ? 'pro' : 'free' }));
    await first.nest.get<DataSource>(getDataSourceToken()).getRepository(User).insert(users);
    const job = await first.iterations.enqueue(NotifyUsers, { plan: 'pro' });
    await hold.reached;
    await first.close();
    expect(notified).toEqual(['Ada', 'Bela', 'Cleo']);

    const second = await start();
    const { returnvalue } = await second.settled(job);
    expect(notified).toEqual(['Ada', 'Bela', 'Cleo', 'Dov', 'Edda']);
    expect(returnvalue).toEqual({ processed: 5, skipped: 0 });
    const { interruptions, lastInterruption, run, state } = await second.iterations.status(job);
    expect({ interruptions, lastInterruption, run, state }).toEqual({
      interruptions: 1,
      lastInterruption: { reason: 'shutdown' },
      run: 2,
      state: 'completed',
    });
  });
});
