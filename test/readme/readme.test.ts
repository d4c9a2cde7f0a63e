import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import * as errors from '../../lib/iteration.errors.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { type Block, blocksOf, documentOf, tableUnder } from '../support/markdown.js';
import { type Data, Hold } from '../support/story.js';
import { MODULES, SURROUNDINGS } from './surroundings.js';

const readme = documentOf('README.md');
const prose = readme.replace(/^```.*?^```$/gms, '');
const manifest = JSON.parse(documentOf('package.json'));
const blocks = blocksOf(readme);
const snippets = blocks.filter(({ language }) => language === 'ts');
const firstOfOurs = snippets.find(({ text }) => text.includes('@IterativeProcessor('));

/** The file that a snippet names in its first line: other snippets import it by that name. */
const nameOf = ({ firstLine, module }: Block) => firstLine.match(/^\/\/ ([\w.-]+)\.ts$/)?.[1] ?? module;

let compiled: Compiled;
beforeAll(() => {
  const shown = snippets.map((snippet) => {
    const { firstLine, text } = snippet;
    return [nameOf(snippet), SURROUNDINGS[firstLine]?.(text) ?? text];
  });
  compiled = new Compiled({ ...MODULES, ...Object.fromEntries(shown) });
});
afterAll(() => compiled.remove());

describe('README.md', () => {
  it('has no block that is not TypeScript, a command, a diagram or a log', () => {
    const others = blocks.filter(({ language }) => !['ts', 'sh', 'mermaid', 'text'].includes(language));
    expect(others).toEqual([]);
  });

  it('names the file of each snippet of ours, once', () => {
    const [problem, ...ours] = snippets.map(({ firstLine }) => firstLine);
    expect(problem).toBe("@Processor('maintenance')");
    expect(ours.filter((firstLine) => !/^\/\/ [\w.-]+\.ts$/.test(firstLine))).toEqual([]);
    expect(new Set(ours).size).toBe(ours.length);
  });

  it('has a snippet for each of the surroundings', () => {
    const firstLines = snippets.map(({ firstLine }) => firstLine);
    expect(Object.keys(SURROUNDINGS).filter((firstLine) => !firstLines.includes(firstLine))).toEqual([]);
  });

  it('has only snippets that compile, as strictly as the library', () => {
    expect(compiled.errors).toBe('');
  });

  it('names only scripts that package.json has', () => {
    const named = [...readme.matchAll(/\bnpm (?:run ([\w:-]+)|test)/g)].map(([, script = 'test']) => script);
    expect(named.filter((script) => !manifest.scripts[script])).toEqual([]);
    expect(named).not.toEqual([]);
  });

  it('links only to what the package ships', () => {
    const links = [...prose.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link = '']) => link);
    const relative = links.filter((link) => !/^https?:/.test(link));
    const shipped: string[] = manifest.files;
    expect(relative.filter((link) => !shipped.includes(link.split('/')[0] as string))).toEqual([]);
    expect(relative).not.toEqual([]);
  });

  it('lists each section in its contents, in order', () => {
    const sections = [...prose.matchAll(/^## (.*)$/gm)].map(([, section]) => section);
    const listed = [...prose.matchAll(/^- \[(.*)\]\(#.*\)$/gm)].map(([, section]) => section);
    expect(['Contents', ...listed]).toEqual(sections);
  });

  it('has no line of more than 120 characters outside of tables and code', () => {
    const long = prose.split('\n').filter((line) => line.length > 120 && !line.startsWith('|'));
    expect(long).toEqual([]);
  });

  it('says under Troubleshooting what each error class means', () => {
    const explained = tableUnder(readme, 'Troubleshooting').map(({ error }) => error);
    const classes = Object.keys(errors).filter((name) => name !== 'IterationError');
    expect(explained.toSorted()).toEqual(classes.map((name) => `\`${name}\``).toSorted());
    expect(readme).toContain('extends `IterationError`');
  });
});

/** What the module of the first snippet exports. */
interface Notifying {
  readonly NotifyUsers: Type;
  readonly mail: { send: (user: { name: string }, context: IterationContext<Data>) => Promise<void> };
}

/** A log without its figures. */
const shapeOf = (lines: readonly string[]) => lines.map((line) => line.replace(/[\d.]+/g, '0'));

describeQueues('the first snippet of README.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('notifies each user of the plan once and in order, though a shutdown interrupts it', async () => {
    const { NotifyUsers, mail } = (await compiled.import(nameOf(firstOfOurs as Block))) as Notifying;
    const { User } = (await compiled.import('user.entity')) as { User: Type };
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
    const job = await first.iterations.enqueue(NotifyUsers, { plan: 'pro' }, { jobId: 'notify-2026-11' });
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
    const log =
      blocks
        .find(({ language }) => language === 'text')
        ?.text.trim()
        .split('\n') ?? [];
    const logged = queues.logs.filter((line) => /^\w+ Job /.test(line));
    expect(shapeOf(log)).toEqual(shapeOf(logged.map((line) => line.replace(/^log/, 'LOG [Iteration]'))));
  });
});
