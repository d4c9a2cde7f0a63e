import type { Job } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { WorkerRegistrar } from '../../lib/worker/worker.registrar.js';
import type { WorkerConfig } from '../processes/worker.config.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { Lateness } from '../support/lateness.js';
import { WorkerProcess } from '../support/processes.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

/** What a worker must never print while it shuts down. */
const BROKEN =
  /Connection is closed|after calling end|Connection terminated|Driver not Connected|DataSource is not|UnhandledPromise|Error:/i;

describeQueues('shutdown of a process', BACKENDS, (queues) => {
  const processes: WorkerProcess[] = [];
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.kill()));
  });
  afterAll(() => database.drop());

  const spawn = (config: Omit<WorkerConfig, 'place'> = {}) => {
    const postgresQueue = queues.backend === 'postgres';
    const process = new WorkerProcess({ place: queues.place, postgresQueue, databaseUrl: database.url, ...config });
    processes.push(process);
    return process;
  };

  it.each([
    'plain',
    'typeorm first',
    'typeorm last',
    'prisma module',
    'own prisma',
    'global processor',
    'adds',
    'two modules',
  ] as const)(
    'R14, R15: jobs finish their item, checkpoint and go back within 500 ms of SIGTERM (%s)',
    async (variant) => {
      const producer = await queues.start({ iteration: { workers: false }, queues: ['jobs', 'more'] });
      const names = variant === 'two modules' ? ['jobs', 'more'] : ['jobs'];
      const jobs: Job[] = [];
      for (const name of names) {
        for (let index = 0; index < 5; index++)
          jobs.push(await producer.queue(name).add('numbers', {}, { jobId: `${name}-${index}` }));
      }
      const worker = spawn({ variant });
      for (const job of jobs) await worker.said(new RegExp(`^item ${job.id} 3$`));
      const lateness = new Lateness({ computing: true });
      worker.signal('SIGTERM');
      await until('all jobs are back', async () => {
        const states = await Promise.all(
          jobs.map(({ queueName, id }) => producer.queue(queueName).getJobState(id as string)),
        );
        return states.every((state) => state === 'waiting');
      });
      lateness.expectWithin(500, 'R14');
      const { signal } = await worker.exited;

      expect(signal).toBe('SIGTERM'); // Nest's hooks ran, and sent it again
      expect(worker.lines.filter((line) => BROKEN.test(line))).toEqual([]);
      if (/prisma|global/.test(variant)) {
        const lastItem = worker.lines.findLastIndex((line) => line.startsWith('item '));
        expect(worker.lines.indexOf('prisma disconnected')).toBeGreaterThan(lastItem);
      }
      for (const job of jobs) await expectPutBack(producer, worker, job);
    },
  );

  async function expectPutBack(app: TestApp, worker: WorkerProcess, job: Job): Promise<void> {
    const put = (await app.queue(job.queueName).getJob(job.id as string)) as Job;
    const { cursor, processed, lastInterruption } = await app.iterations.status(job);
    const items = worker.items(job.id as string);
    expect(await put.getState()).toBe('waiting');
    expect([cursor, processed, put.attemptsMade]).toEqual([items.at(-1), items.length, 0]);
    expect(lastInterruption).toEqual({ reason: 'shutdown' });
    expect(
      worker.lines.some((line) => line.includes(`Job ${job.id} (`) && line.includes('interrupted (shutdown)')),
    ).toBe(true);
  }

  it('R16: a closing worker never takes its own job again', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('numbers', {});
    const worker = spawn();
    await worker.said(/^item 1 3$/);
    worker.signal('SIGTERM');
    await worker.exited;
    const put = (await producer.queue().getJob(job.id as string)) as Job;
    expect([await put.getState(), put.attemptsStarted]).toEqual(['waiting', 1]);
    expect(worker.lines.filter((line) => line.startsWith('resume'))).toEqual([]);
  });

  it('R13: a process exits within 300 ms of SIGTERM after 5 million items of an empty handler', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('numbers', {});
    const worker = spawn({ items: 1e12, itemMs: 0 });
    await worker.said(/^start 1$/);
    await until('5 million items are done', async () => (await producer.iterations.status(job)).processed > 5_000_000);
    const lateness = new Lateness({ computing: true });
    worker.signal('SIGTERM');
    await worker.exited;
    lateness.expectWithin(300, 'R13');
  });

  it('an idle process exits at once, also when it receives SIGTERM twice', async () => {
    const worker = spawn();
    await worker.said(/^ready$/);
    const lateness = new Lateness({ computing: true });
    worker.signal('SIGTERM');
    worker.signal('SIGTERM');
    const { signal } = await worker.exited;
    lateness.expectWithin(500, 'that an idle process exits at once');
    expect(signal).toBe('SIGTERM');
  });

  it('a second SIGTERM does not interrupt the job again', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('numbers', {});
    const worker = spawn();
    await worker.said(/^item 1 3$/);
    worker.signal('SIGTERM');
    worker.signal('SIGTERM');
    await worker.exited;
    expect((await producer.iterations.status(job)).interruptions).toBe(1);
  });

  it('a process that receives SIGTERM during bootstrap starts no job and exits', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    await producer.queue().add('numbers', {});
    const worker = spawn({ slowBootstrapMs: 300 });
    await worker.said(/^bootstrapping$/);
    worker.signal('SIGTERM');
    await worker.exited;
    expect(worker.lines.filter((line) => BROKEN.test(line))).toEqual([]);
    expect((await producer.queue().getJob('1'))?.attemptsMade).toBe(0);
    await until('the job is back', async () => (await producer.queue().getJobState('1')) === 'waiting');
  });

  it('R17: no job starts before the whole application has bootstrapped', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    await producer.queue().add('numbers', {});
    const worker = spawn({ slowBootstrapMs: 300 });
    await worker.said(/^item 1 0$/);
    const lines = worker.lines.filter((line) => /^(boot|start|item 1 0)/.test(line));
    expect(lines).toEqual(['bootstrapping', 'bootstrapped', 'start 1', 'item 1 0']);
  });

  it('R17: a process without a listener for SIGTERM logs a warning', async () => {
    const worker = spawn({ shutdownHooks: false });
    await worker.said(/Nothing in this process listens for SIGTERM.*app\.enableShutdownHooks\(\)/);
  });

  it('a process with a listener for SIGTERM logs no warning', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    await producer.queue().add('numbers', {});
    const worker = spawn({ itemMs: 100 });
    await worker.said(/^item 1 15$/);
    expect(worker.lines.filter((line) => line.includes('listens for SIGTERM'))).toEqual([]);
  });

  it('app.close() without a signal leaves nothing that keeps the process alive', async () => {
    const worker = spawn({ closeAtBootstrap: true });
    await worker.said(/^closed$/);
    const { code } = await worker.exited;
    expect(code).toBe(0);
  });

  it('R15: a process whose handler never returns exits by itself after the deadline', async () => {
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('numbers', {});
    const worker = spawn({ hangs: true, iteration: { shutdown: { deadlineMs: 200 } } });
    await worker.said(/^closed$/);
    expect((await worker.exited).code).toBe(0);
    expect(await producer.iterations.status(job)).toMatchObject({ state: 'interrupted', cursor: 1 });
  });
});

describeQueues('shutdown of an application', BACKENDS, (queues) => {
  const workers = recordWorkers();

  it('R15: the deadline aborts the signal of a handler and puts the job back at its last finished item', async () => {
    let signal: AbortSignal | undefined;
    const never = new Gate();
    const { type, story } = storyProcessor({
      each: async (letter, context) => {
        if (letter !== 'c') return;
        signal = context.signal;
        await never.wait();
      },
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 100 } } });
    const job = await app.queue().add('story', {});
    await never.reached;
    expect(signal?.aborted).toBe(false);
    const asked = Date.now();
    const lateness = new Lateness();
    await app.close();
    lateness.expectWithin(1_000, 'R15');

    expect(signal?.aborted).toBe(true);
    expect(Date.now() - asked).toBeGreaterThanOrEqual(100);
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await (await reader.queue().getJob(job.id as string))?.getState()).toBe('waiting');
    expect(await reader.iterations.status(job)).toMatchObject({
      cursor: 1,
      processed: 2,
      lastInterruption: { reason: 'shutdown' },
    });
    expect(story).toEqual(['start', 'a', 'b', 'interrupt shutdown', 'end interrupt']);
    never.open();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await reader.iterations.status(job)).toMatchObject({ cursor: 1, processed: 2 });
  });

  it('R16: a closing worker fetches no job, not even for an idle slot', async () => {
    const hold = new Hold('b');
    const { type } = storyProcessor({ each: hold.each }, { worker: { concurrency: 3 } });
    const app = await queues.start({ processors: [type] });
    await app.queue().add('story', {});
    await hold.reached;
    const drained = app.nest.get(WorkerRegistrar).onModuleDestroy();
    const waiting = await app.queue().add('story', {});
    // What a slot does after closing has ended its wait for a job.
    const idleSlot = workers[0] as unknown as { moveToActive(token: string): Promise<Job | undefined> };
    expect(await idleSlot.moveToActive('idle:0')).toBeUndefined();
    expect(await app.queue().getJobState(waiting.id as string)).toBe('waiting');
    await drained;
  });

  it('R15: a handler that rejects when its signal aborts does not count as a failure', async () => {
    const reached = new Gate();
    const { type, story } = storyProcessor({
      each: (letter, { signal }) => {
        if (letter !== 'b') return;
        void reached.wait();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 50 } } });
    const job = await app.queue().add('story', {}, { attempts: 3 });
    await reached.reached;
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await reader.iterations.status(job)).toMatchObject({ state: 'interrupted', cursor: 0, failures: 0 });
    expect(story).toEqual(['start', 'a', 'interrupt shutdown', 'end interrupt']);
  });

  it('R11: a job calls complete once when its last handler returns after the deadline', async () => {
    const reached = new Gate();
    const { type, story, script } = storyProcessor({
      each: (_letter, { signal }) => {
        void reached.wait();
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 50 } } });
    const job = await app.queue().add('story', { letters: 'a' });
    await reached.reached;
    await app.close();
    script.each = undefined;
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(story.filter((event) => event === 'complete' || event === 'a')).toEqual(['a', 'complete']);
  });

  it('R15: a hook that never returns does not keep the application from closing', async () => {
    const hold = new Hold('b');
    const { type } = storyProcessor({
      each: hold.each,
      hook: (event) => (event.startsWith('interrupt') ? new Promise(() => {}) : undefined),
    });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 100 } } });
    const job = await app.queue().add('story', {});
    await hold.reached;
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await reader.iterations.status(job)).toMatchObject({ state: 'interrupted', cursor: 1 });
    expect(await (await reader.queue().getJob(job.id as string))?.getState()).toBe('waiting');
  });

  it('a source that waits for its next item does not keep a run from stopping', async () => {
    const waiting = new Gate();
    const { type, story } = storyProcessor({
      build: () =>
        (async function* () {
          yield ['a', 1];
          await waiting.wait();
        })(),
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await waiting.reached;
    const lateness = new Lateness();
    await app.close();
    lateness.expectWithin(1_000, 'that a source that waits does not keep a run from stopping');
    expect(story).toEqual(['start', 'a', 'interrupt shutdown', 'end interrupt']);
    waiting.open();
    const reader = await queues.start({ iteration: { workers: false } });
    expect((await reader.iterations.status(job)).cursor).toBe(1);
  });

  it('two applications of one process shut down independently', async () => {
    const holds = [new Hold('b'), new Hold('b')] as const;
    const one = storyProcessor({ each: holds[0].each }, { name: 'one' });
    const other = storyProcessor({ each: holds[1].each }, { queue: 'others', name: 'other' });
    const first = await queues.start({ processors: [one.type] });
    const second = await queues.start({ processors: [other.type], queues: ['others'] });
    await first.queue().add('one', {});
    const job = await second.queue('others').add('other', {});
    await Promise.all(holds.map((hold) => hold.reached));
    await first.close();
    expect(one.story.at(-1)).toBe('end interrupt');
    expect(other.story).toEqual(['start', 'a']);
    await second.close();
    expect(other.story.at(-1)).toBe('end interrupt');
    void job;
  });
});
