import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { type Job, Queue } from 'bullmq';
import type { DataSource, EntityManager } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  CreateIterationCheckpoint1795305600000,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { storyProcessor } from '../support/story.js';

interface Written {
  readonly id: string;
  readonly name: string;
  readonly data: object;
  readonly timestamp: number;
  readonly progress: object;
}

/** Data that release 0.1.0 wrote. `story` was interrupted; `effects` was killed in its seventh item. */
const { story, letter, effects, row } = JSON.parse(
  readFileSync(new URL('release-0.1.0.json', import.meta.url), 'utf8'),
) as {
  readonly story: Written;
  readonly letter: { readonly id: string; readonly name: string; readonly data: object };
  readonly effects: Written;
  readonly row: { readonly document: string; readonly life: number; readonly run: number };
};

async function add({ app, written }: { app: TestApp; written: Written }): Promise<Job> {
  const { data, id: jobId, name, progress, timestamp } = written;
  const job = await app.queue().add(name, data, { jobId, timestamp, attempts: 3 });
  await job.updateProgress(progress);
  return job;
}

describeQueues('data of release 0.1.0', BACKENDS, (queues) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('a checkpoint of release 0.1.0 is resumed, and its dead letter is listed and redriven', async () => {
    const adder = await queues.start({ iteration: { workers: false } });
    const job = await add({ app: adder, written: story });
    const letters = new Queue('jobs-dead-letters', adder.queue().opts);
    await letters.add(letter.name, letter.data, { jobId: letter.id });
    await letters.close();

    const { type, story: handled, script } = storyProcessor({}, { version: 'v2' });
    const states: unknown[] = [];
    script.each = (_, { state }) => void states.push(state);
    const app = await queues.start({ processors: [type] });
    const { returnvalue } = await app.settled(job);
    expect(handled).toEqual(['resume', 'e', 'f', 'complete', 'end complete']);
    expect(states).toEqual([{ last: 'd' }, { last: 'd' }]);
    expect(returnvalue).toEqual({ processed: 5, skipped: 1 });
    expect(await app.iterations.deadLetters(job)).toMatchObject([
      { before: 0, cursor: 1, error: { message: 'bad b' } },
    ]);

    handled.length = 0;
    await app.settled(await app.iterations.redrive(job));
    expect(handled.filter((event) => event.length === 1)).toEqual(['b']);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it('R25: a job resumes at its iteration_checkpoint row when that is ahead of its checkpoint', async () => {
    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'effects', transactions: TypeOrmTransactionHost, version: 3 })
    class Effects {
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return this.enumerators.times(10, { cursor: cursor as number | null });
      }
      @EachIteration()
      async each(item: number, context: IterationContext<unknown, EntityManager, { sum: number }>) {
        await context.transaction.query('INSERT INTO effects (item, sum) VALUES ($1, $2)', [item, context.state?.sum]);
        context.state = { sum: (context.state?.sum ?? 0) + item };
      }
    }
    await database.query('CREATE TABLE IF NOT EXISTS effects (seq serial, item int, sum int)');
    await database.query('TRUNCATE effects');
    const imports = [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url: database.url,
        migrations: [CreateIterationCheckpoint1795305600000],
        migrationsRun: true,
      }),
    ];
    const host = {
      provide: TypeOrmTransactionHost,
      useFactory: (dataSource: DataSource) => new TypeOrmTransactionHost(dataSource),
      inject: [getDataSourceToken()],
    };
    const adder = await queues.start({ imports, iteration: { workers: false } });
    const job = await add({ app: adder, written: effects });
    await adder.nest
      .get<DataSource>(getDataSourceToken())
      .query(
        'INSERT INTO iteration_checkpoint (prefix, queue, job_id, job_timestamp, life, run, document, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now())',
        [queues.place.prefix ?? 'bull', 'jobs', effects.id, effects.timestamp, row.life, row.run, row.document],
      );

    const app = await queues.start({ processors: [Effects, host], imports });
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 10, skipped: 0 });
    expect(await database.query('SELECT item, sum FROM effects ORDER BY seq')).toEqual([
      { item: 6, sum: 15 },
      { item: 7, sum: 21 },
      { item: 8, sum: 28 },
      { item: 9, sum: 36 },
    ]);
    expect(await database.query('SELECT * FROM iteration_checkpoint')).toEqual([]);
  });
});
