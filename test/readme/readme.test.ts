import { readdirSync } from 'node:fs';
import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import * as errors from '../../lib/iteration.errors.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { temporaryFiles } from '../support/csv.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { blocksOf, documentOf, tableUnder } from '../support/markdown.js';
import { Hold } from '../support/story.js';
import { SURROUNDINGS } from './surroundings.js';

const readme = documentOf('README.md');
const prose = readme.replace(/^```.*?^```$/gms, '');
const manifest = JSON.parse(documentOf('package.json'));
const blocks = blocksOf(readme);
const snippets = blocks.filter(({ language }) => language === 'ts');
const firstOfOurs = snippets.find(({ text }) => text.includes('@IterativeProcessor('));

let compiled: Compiled;
beforeAll(() => {
  const shown = Object.fromEntries(snippets.map(({ module, text }) => [module, text]));
  compiled = new Compiled({ ...SURROUNDINGS, ...shown });
});
afterAll(() => compiled.remove());

/** What a file of the README, or of its surroundings, exports. */
async function exportsOf<Exports>(module: string | undefined): Promise<Exports> {
  return (await compiled.import(String(module))) as Exports;
}

describe('README.md', () => {
  it('every code block is TypeScript, a command, a diagram or a log', () => {
    const others = blocks.filter(({ language }) => !['ts', 'sh', 'mermaid', 'text'].includes(language));
    expect(others).toEqual([]);
  });

  it('every snippet but the first names a file of its own', () => {
    const [, ...ours] = snippets.map(({ module }) => module);
    expect(ours.filter((module) => module.startsWith('line-'))).toEqual([]);
    expect(new Set(ours).size).toBe(ours.length);
  });

  it('SURROUNDINGS holds only files that the snippets import and do not show', () => {
    const isImported = (file: string) => snippets.some(({ text }) => text.includes(`from './${file}.js'`));
    const isShown = (file: string) => snippets.some(({ module }) => module === file);
    expect(Object.keys(SURROUNDINGS).filter((file) => isShown(file) || !isImported(file))).toEqual([]);
  });

  it('every snippet compiles unchanged, under the compiler options of the library', () => {
    expect(compiled.errors).toBe('');
  });

  it('package.json has every npm script that the README names', () => {
    const named = [...readme.matchAll(/\bnpm (?:run ([\w:-]+)|test)/g)].map(([, script = 'test']) => script);
    expect(named.filter((script) => !manifest.scripts[script])).toEqual([]);
    expect(named).not.toEqual([]);
  });

  it('the contents list every section, in order', () => {
    const sections = [...prose.matchAll(/^## (.*)$/gm)].map(([, section]) => section);
    const listed = [...prose.matchAll(/^- \[(.*)\]\(#.*\)$/gm)].map(([, section]) => section);
    expect(['Contents', ...listed]).toEqual(sections);
  });

  it('Troubleshooting explains every error class', () => {
    const explained = tableUnder(readme, 'Troubleshooting').map(({ error }) => error);
    expect(explained.toSorted()).toEqual(
      Object.keys(errors)
        .map((name) => `\`${name}\``)
        .toSorted(),
    );
  });

  it('the library logs every warning that the README quotes', () => {
    const files = readdirSync(new URL('../../lib/', import.meta.url), { recursive: true, encoding: 'utf8' });
    const code = files.filter((path) => path.endsWith('.ts')).map((path) => documentOf(`lib/${path}`));
    const texts = code.join('\n').replace(/['`] \+\s+['`]/g, ''); // joins a text of several lines
    const quoted = tableUnder(readme, 'Warnings in the log').map(({ warning = '' }) => warning.replaceAll('`', ''));
    const isLogged = (quote: string) => quote.split('…').every((part) => texts.includes(part.trim()));
    expect(quoted).not.toEqual([]);
    expect(quoted.filter((quote) => !isLogged(quote))).toEqual([]);
  });
});

interface Named {
  readonly id: number;
  readonly name: string;
  readonly plan: string;
}

/** The lines of a log, with each number replaced by 0. */
const shapeOf = (lines: readonly string[]) => lines.map((line) => line.replace(/[\d.]+/g, '0'));

describeQueues('the first snippet of README.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('the job notifies each user once, in order, across a shutdown', async () => {
    const { NotifyUsers } = await exportsOf<{ NotifyUsers: Type<{ notify(user: Named): Promise<void> }> }>(
      firstOfOurs?.module,
    );
    const { Mailer } = await exportsOf<{ Mailer: Type }>('mailer');
    const { User } = await exportsOf<{ User: Type<Named> }>('user.entity');
    const notified: string[] = [];
    const hold = new Hold('Cleo');
    /** The README's own processor, whose third item ends only after its run was interrupted. */
    class Held extends NotifyUsers {
      override async notify(user: Named, context?: unknown) {
        await super.notify(user);
        await hold.each(user.name, context as never);
      }
    }
    const mailer = { notify: async ({ name }: Named) => void notified.push(name) };
    const start = () =>
      queues.start({
        processors: [Held, { provide: Mailer, useValue: mailer }],
        queues: ['maintenance'],
        imports: [
          TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities: [User], synchronize: true }),
          TypeOrmModule.forFeature([User]),
        ],
      });

    const first = await start();
    const names = ['Ada', 'Zoe', 'Bela', 'Yuri', 'Cleo', 'Xian', 'Dov', 'Wim', 'Edda'];
    const users = names.map((name, index) => ({ name, plan: index % 2 === 0 ? 'pro' : 'free' }));
    await first.nest.get<DataSource>(getDataSourceToken()).getRepository(User).insert(users);
    const job = await first.iterations.enqueue(Held, { plan: 'pro' }, { jobId: 'notify-2026-11' });
    await hold.reached;
    await first.close();
    expect(notified).toEqual(['Ada', 'Bela', 'Cleo']);

    const second = await start();
    const { returnvalue } = await second.settled(job);
    expect(notified).toEqual(['Ada', 'Bela', 'Cleo', 'Dov', 'Edda']);
    expect(returnvalue).toEqual({ processed: 5, skipped: 0 });
    const status = await second.iterations.status(job);
    const { interruptions, lastInterruption, run, state } = status;
    expect({ interruptions, lastInterruption, run, state }).toEqual({
      interruptions: 1,
      lastInterruption: { reason: 'shutdown' },
      run: 2,
      state: 'completed',
    });

    const fields = tableUnder(readme, 'Status').flatMap(({ field = '' }) => field.replaceAll('`', '').split(', '));
    expect(fields).toEqual(Object.keys(status));
    const log = blocks.find(({ language }) => language === 'text')?.text;
    const logged = queues.logs.filter((line) => /^\w+ Job /.test(line)).map((line) => line.replace(/^log /, ''));
    expect(shapeOf(log?.trim().split('\n') ?? [])).toEqual(shapeOf(logged));
  });

  it('the test of notify-users.spec passes for the same users', async () => {
    vi.stubEnv('DATABASE_URL', database.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const tests = await compiled.testsOf('notify-users.spec');
    expect(tests).toHaveLength(1);
    for (const [, run] of tests) await run();
  });
});

describeQueues('the CSV of README.md', ['redis'], (queues) => {
  const fileOf = temporaryFiles();

  it('the job imports each order once, and returns the sum in its state', async () => {
    const { ImportOrders } = await exportsOf<{ ImportOrders: Type }>('import-orders');
    const { Orders } = await exportsOf<{ Orders: Type }>('orders');
    const upserted: unknown[] = [];
    const orders = { upsert: async (order: unknown) => void upserted.push(order) };
    const app = await queues.start({
      processors: [ImportOrders, { provide: Orders, useValue: orders }],
      queues: ['imports'],
    });
    const path = fileOf('id,amount\na,1\nb,20\nc,300\n');
    const { returnvalue } = await app.settled(await app.iterations.enqueue(ImportOrders, { path }));
    expect(returnvalue).toEqual({ processed: 3, amount: 321 });
    expect(upserted).toEqual([
      { id: 'a', amount: 1 },
      { id: 'b', amount: 20 },
      { id: 'c', amount: 300 },
    ]);
  });
});
