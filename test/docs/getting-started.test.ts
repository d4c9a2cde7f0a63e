import type { Type } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { IterationStatus } from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { blocksOf, documentOf } from '../support/markdown.js';
import { until } from '../support/until.js';
import { modulesOf } from './pages.js';

const blocks = blocksOf(documentOf('docs/getting-started.md'));
const sql = blocks.find(({ language }) => language === 'sql')?.text as string;
const shown = JSON.parse(blocks.find(({ language }) => language === 'json')?.text as string) as object;

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('getting-started'));
});
afterAll(() => compiled.remove());

interface Emails {
  start(): Promise<{ id: string }>;
  status(): Promise<IterationStatus>;
}

describeQueues('the application of docs/getting-started.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await database.query(sql.replace('50000', '500'));
  });
  afterAll(() => database.drop());

  it('the job is stopped, and its next run resumes after the cursor that the status shows', async () => {
    const module = async (name: string) => (await compiled.import(`getting-started/${name}`)) as Record<string, Type>;
    const { LowerEmails } = await module('lower-emails.processor');
    const { EmailsController } = await module('emails.controller');
    const { User } = await module('user.entity');
    const start = () =>
      queues.start({
        processors: [LowerEmails as Type, EmailsController as Type],
        queues: ['maintenance'],
        imports: [
          TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities: [User as Type] }),
          TypeOrmModule.forFeature([User as Type]),
        ],
      });

    const first = await start();
    const rows = first.nest.get<DataSource>(getDataSourceToken());
    const lowered = async (data: DataSource) =>
      (await data.query("SELECT count(*)::int AS n FROM users WHERE email LIKE 'user%@example.com'"))[0].n as number;
    await first.nest.get<Emails>(EmailsController as Type).start();
    await until('some addresses are in lower case', async () => (await lowered(rows)) > 20);
    await first.close();

    const second = await start();
    const emails = second.nest.get<Emails>(EmailsController as Type);
    const job = await second.queue('maintenance').getJob('lower-emails-1');
    await second.settled(job as never);
    const status = await emails.status();
    expect(status).toMatchObject({ state: 'completed', cursor: 500, processed: 500, size: 500, percent: 100, run: 2 });
    expect(status.interruptions).toBe(1);
    expect(await lowered(second.nest.get<DataSource>(getDataSourceToken()))).toBe(500);
    expect(Object.keys(JSON.parse(JSON.stringify(status)))).toEqual(Object.keys(shown));
    const resumed = queues.logs.find((line) => line.includes('resumed after'));
    expect(resumed).toMatch(
      /Job lower-emails-1 \(maintenance, lower-emails\) resumed after (\d+) \(run 2, \1 items processed\)/,
    );

    expect((await emails.start()).id).toBe('lower-emails-1'); // a completed job is not added a second time
    expect((await emails.status()).state).toBe('completed');
  });
});
