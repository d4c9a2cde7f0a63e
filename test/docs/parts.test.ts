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
  compiled = new Compiled(modulesOf('parts'));
});
afterAll(() => compiled.remove());

describeQueues('the processor of docs/parts.md', ['redis'], (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('R27: the processor handles every row of its table in parts', async () => {
    const { AnonymizeUsers } = (await compiled.import('parts/anonymize-users.processor')) as Record<string, Type>;
    const { User } = (await compiled.import('parts/user.entity')) as Record<string, Type>;
    const entities = [User as Type];
    const app = await queues.start({
      processors: [AnonymizeUsers as Type],
      queues: ['maintenance'],
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, entities, synchronize: true }),
        TypeOrmModule.forFeature(entities),
      ],
    });
    const data = app.nest.get<DataSource>(getDataSourceToken());
    await data.query(`INSERT INTO "user" (name) SELECT 'user ' || n FROM generate_series(1, 500) AS n`);
    const job = await app.settled(await app.queue('maintenance').add('anonymize-users', {}));
    expect([await job.getState(), job.returnvalue]).toEqual(['completed', { processed: 500, skipped: 0 }]);
    expect(await data.query(`SELECT DISTINCT name FROM "user"`)).toEqual([{ name: 'anonymous' }]);
  });
});
