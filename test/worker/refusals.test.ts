import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module, type Provider, type ValueProvider } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import {
  InvalidOptionsError,
  InvalidProcessorError,
  ITERATION_OPTIONS,
  IterationModule,
  type IterationOptions,
  type PrismaTransactionClient,
  PrismaTransactionHost,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { describeQueues } from '../support/app.js';
import { createDatabase } from '../support/database.js';
import { storyProcessor } from '../support/story.js';

class PrismaLedger extends PrismaTransactionHost<PrismaTransactionClient> {}
class TypeOrmLedger extends TypeOrmTransactionHost {}

describeQueues('an application', ['redis'], (queues) => {
  it.each<[string, IterationOptions['worker'], IterationOptions['worker'], RegExp]>([
    ['lockRenewTime above lockDuration', {}, { lockDuration: 500, lockRenewTime: 600 }, /"lockRenewTime" is 600 ms/],
    ['lockRenewTime equal to lockDuration', {}, { lockDuration: 500, lockRenewTime: 500 }, /"lockDuration" 500 ms/],
    ['lockRenewTime of the module', { lockRenewTime: 900 }, { lockDuration: 800 }, /Story: .* is 900 ms/],
    ['skipLockRenewal', {}, { skipLockRenewal: true }, /"skipLockRenewal" is true; it must be false: without renewals/],
    ['skipLockRenewal of the module', { skipLockRenewal: true }, {}, /"skipLockRenewal" is true/],
  ])('R20: an application refuses worker options that defeat the lock: %s', async (_, module, processor, message) => {
    const { type } = storyProcessor({}, { worker: processor });
    const starting = (async () => queues.start({ processors: [type], iteration: { worker: module } }))();
    await expect(starting).rejects.toThrow(InvalidOptionsError);
    await expect(starting).rejects.toThrow(message);
  });

  it('an application accepts lock options that keep the lock valid', async () => {
    const worker = { lockDuration: 60_000, lockRenewTime: 48_000, skipLockRenewal: false };
    const { type, story } = storyProcessor({}, { worker });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'a' }));
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
  });

  it('an application refuses a connection with keyPrefix, and the error suggests prefix', async () => {
    const { type } = storyProcessor();
    const connection = { ...queues.place.connection, keyPrefix: 'mine:' };
    queues.moveTo({ ...queues.place, connection });
    const starting = queues.start({ processors: [type] });
    await expect(starting).rejects.toThrow(InvalidOptionsError);
    await expect(starting).rejects.toThrow(
      /queue "jobs" has "keyPrefix".*set BullMQ's own "prefix" beside "connection"/,
    );
    const web = await queues.start({ iteration: { workers: false } });
    await expect(web.iterations.enqueue(type)).rejects.toThrow(/queue "jobs" has "keyPrefix"/);
  });

  /** Like a testing module with `overrideProvider(token).useValue(value)`. */
  function overridden(
    processors: readonly Provider[],
    options: IterationOptions,
    ...overrides: readonly ValueProvider[]
  ) {
    const iteration = IterationModule.forRoot(options);
    const ofIteration = overrides.filter(({ provide }) => provide === ITERATION_OPTIONS);
    const ofQueues = overrides.filter(({ provide }) => provide !== ITERATION_OPTIONS);
    const registered = BullModule.registerQueue({ name: 'jobs' });
    @Module({
      imports: [
        BullModule.forRoot(queues.place as never),
        ofQueues.length === 0
          ? registered
          : { module: class QueueModule {}, providers: [...ofQueues], exports: [...ofQueues] },
        { ...iteration, providers: [...(iteration.providers ?? []), ...ofIteration] },
      ],
      providers: [...processors],
    })
    class AppModule {}
    return queues.startModule(AppModule);
  }

  it.each([
    ['a provided processor', true],
    ['a class that is not provided', false],
  ])('a queue overridden by { add } can enqueue jobs with workers: false (%s)', async (_, isProvided) => {
    const { type } = storyProcessor();
    const added: unknown[] = [];
    const add = async (...args: unknown[]) => {
      added.push(args);
      return { id: '1' };
    };
    const queue = { provide: getQueueToken('jobs'), useValue: { add } };
    const app = await overridden(isProvided ? [type] : [], { workers: false }, queue);
    const job = await app.iterations.enqueue(type, { letters: 'a' }, { priority: 2 });
    expect([job.id, added]).toEqual(['1', [['story', { letters: 'a' }, { priority: 2 }]]]);
  });

  it('an application with workers refuses a queue overridden by { add }, and the error names the fix', async () => {
    const queue = { provide: getQueueToken('jobs'), useValue: { add: () => {} } };
    const starting = overridden([storyProcessor().type], {}, queue);
    await expect(starting).rejects.toThrow(InvalidProcessorError);
    await expect(starting).rejects.toThrow(
      /queue "jobs" is \{"add":"the function add"\}, which is not a Queue of BullMQ.*workers: false/,
    );
  });

  it('an application uses and validates options that override ITERATION_OPTIONS', async () => {
    const { type, story } = storyProcessor();
    const options = (useValue: unknown) => ({ provide: ITERATION_OPTIONS, useValue });
    const app = await overridden([type], { worker: { concurrency: 2 } }, options({ workers: false }));
    const job = await app.iterations.enqueue(type, { letters: 'a' });
    const working = await overridden([type], { workers: false }, options({ itemConcurrency: 2 }));
    await working.settled(job);
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
    const wrong = overridden([type], {}, options({ wrokers: false }));
    await expect(wrong).rejects.toThrow('unknown option "wrokers". Did you mean "workers"?');
  });

  it('enqueue warns once when no module provides the class and no worker here handles its queue', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({});
    await app.iterations.enqueue(type);
    await app.iterations.enqueue(type);
    expect(queues.logs.filter((line) => line.includes('no module of this application provides it'))).toEqual([
      'warn Story was enqueued, and no module of this application provides it: its jobs wait until another process handles the queue ' +
        '"jobs". Add it to a module\'s providers, or set workers: false if this process only adds jobs',
    ]);
    const web = await queues.start({ iteration: { workers: false } });
    queues.logs = [];
    await web.iterations.enqueue(type);
    expect(queues.logs.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it.each([
    [
      'Prisma',
      PrismaLedger,
      '{ provide: PrismaLedger, useFactory: (prisma) => new PrismaLedger(prisma), inject: [PrismaService] }',
    ],
    [
      'TypeORM',
      TypeOrmLedger,
      '{ provide: TypeOrmLedger, useFactory: (dataSource) => new TypeOrmLedger(dataSource), inject: [DataSource] }',
    ],
    [
      'a string token',
      'ledger',
      '{ provide: ledger, useFactory: (dataSource) => new TypeOrmTransactionHost(dataSource), inject: [DataSource] }, or a Prisma',
    ],
  ])('the error for a missing transaction host shows a provider of its kind: %s', async (_, transactions, provider) => {
    const { type } = storyProcessor({}, { transactions: transactions as never });
    await expect(queues.start({ processors: [type] })).rejects.toThrow(provider);
  });

  it('R25: start-up fails without the table of a transaction host, and the error names the migration', async () => {
    const database = await createDatabase();
    const dataSource = new DataSource({ type: 'postgres', url: database.url });
    await dataSource.initialize();
    const { type } = storyProcessor({}, { transactions: TypeOrmLedger as never });
    const host = { provide: TypeOrmLedger, useFactory: () => new TypeOrmLedger(dataSource) };
    const start = () => queues.start({ processors: [type, host] });
    await expect(start()).rejects.toThrow(InvalidOptionsError);
    await expect(start()).rejects.toThrow(/no table iteration_checkpoint.*CreateIterationCheckpoint1795305600000/);
    await queues.start({ processors: [type, host], iteration: { workers: false } });
    await dataSource.destroy();
    await start(); // an unreachable database is left to the first job
    await database.drop();
  });
});
