import { BullModule, BullRegistrar, InjectQueue } from '@nestjs/bullmq';
import {
  type DynamicModule,
  Global,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { type Job, Queue, QueueEvents, type Telemetry } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  type IterationOptions,
  IterationService,
  IterativeProcessor,
} from '../../lib/index.js';
import { resolveRunOptions } from '../../lib/iteration.options.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type QueuePlace, type TestApp } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

type Imports = (Type | DynamicModule)[];

function moduleOf(imports: Imports, providers: Provider[] = []): Type {
  @Module({ imports, providers })
  class TestModule {}
  return TestModule;
}

const jobs = () => BullModule.registerQueue({ name: 'jobs' });

describe('options of the module and of a processor', () => {
  const defaults = { stalledInterval: 1_000, maxStalledCount: 2 ** 31 - 1 };

  it('run options have defaults when neither the module nor the processor sets them', () => {
    expect(resolveRunOptions({}, {})).toMatchObject({
      maxRuntimeMs: Infinity,
      resumeDelayMs: 0,
      checkpoint: { everyMs: 1_000, everyItems: Infinity },
      worker: defaults,
    });
  });

  it('R18: the default options let another worker take over within 10 s of a kill', () => {
    const { lockDuration = Infinity, stalledInterval = Infinity } = resolveRunOptions({}, {}).worker;
    expect(lockDuration + 2 * stalledInterval).toBeLessThan(10_000);
  });

  it('processor options override module options, and each checkpoint and worker option separately', () => {
    expect(
      resolveRunOptions(
        { resumeDelayMs: 1, checkpoint: { everyMs: 10, everyItems: 5 }, worker: { concurrency: 2, lockDuration: 9 } },
        { resumeDelayMs: 0, checkpoint: { everyItems: 7 }, worker: { concurrency: 3 } },
      ),
    ).toMatchObject({
      resumeDelayMs: 0,
      checkpoint: { everyMs: 10, everyItems: 7 },
      worker: { ...defaults, concurrency: 3, lockDuration: 9 },
    });
  });

  it('the lower maxRuntimeMs of the module and the processor applies', () => {
    expect(resolveRunOptions({ maxRuntimeMs: 5 }, { maxRuntimeMs: 9 }).maxRuntimeMs).toBe(5);
    expect(resolveRunOptions({ maxRuntimeMs: 9 }, { maxRuntimeMs: 5 }).maxRuntimeMs).toBe(5);
    expect(resolveRunOptions({ maxRuntimeMs: 9 }, {}).maxRuntimeMs).toBe(9);
    expect(resolveRunOptions({}, { maxRuntimeMs: 9 }).maxRuntimeMs).toBe(9);
  });

  it('a job saves after every item when checkpoint.everyMs is 0', () => {
    expect(resolveRunOptions({}, { checkpoint: { everyMs: 0 } }).checkpoint).toEqual({ everyMs: 0, everyItems: 1 });
  });
});

describeQueues('workers', BACKENDS, (queues) => {
  const workers = recordWorkers();
  const forRoot = (more: object = {}) => BullModule.forRoot({ ...queues.place, ...more } as never);

  /** Starts the module and runs one job through its queue. */
  async function runsOneJob(module: Type, story: readonly string[]): Promise<TestApp> {
    const app = await queues.startModule(module);
    const job = await app.queue().add('story', { letters: 'ab' });
    await until('the job is done', async () => (await app.iterations.status(job)).state === 'completed');
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
    expect(workers.length).toBe(1);
    return app;
  }

  describe('connection of a worker', () => {
    it('a worker takes its connection from BullModule.forRoot', async () => {
      const { type, story } = storyProcessor();
      await runsOneJob(moduleOf([forRoot(), jobs(), IterationModule.forRoot()], [type]), story);
    });

    it('a worker takes its connection from BullModule.forRootAsync and registerQueueAsync', async () => {
      const { type, story } = storyProcessor();
      const root = BullModule.forRootAsync({ useFactory: async () => queues.place as never });
      const queue = BullModule.registerQueueAsync({ name: 'jobs', useFactory: async () => ({}) });
      await runsOneJob(moduleOf([root, queue, IterationModule.forRoot()], [type]), story);
    });

    it('a worker takes its connection from registerQueue alone', async () => {
      const { type, story } = storyProcessor();
      const queue = BullModule.registerQueue({ name: 'jobs', ...(queues.place as object) } as never);
      await runsOneJob(moduleOf([queue, IterationModule.forRoot()], [type]), story);
    });

    it('a worker takes its connection and another queue name from registerQueueAsync alone', async () => {
      const { type, story } = storyProcessor();
      const queue = BullModule.registerQueueAsync({
        name: 'jobs',
        useFactory: async () => ({ ...queues.place, name: 'elsewhere' }) as never,
      });
      await runsOneJob(moduleOf([queue, IterationModule.forRoot()], [type]), story);
      expect(workers.map(({ name }) => name)).toEqual(['elsewhere']);
    });

    it('a worker takes its connection whatever the order of imports', async () => {
      const { type, story } = storyProcessor();
      await runsOneJob(moduleOf([IterationModule.forRoot(), jobs(), forRoot()], [type]), story);
    });

    it('two workers of the same queue name take their connections from their own configKey', async () => {
      const places: QueuePlace[] = [queues.place];
      queues.move();
      places.push(queues.place);

      const handled: string[] = [];
      const feature = (key: string) => {
        @IterativeProcessor({ queue: 'jobs', name: 'letters' })
        class Letters {
          constructor(@InjectQueue('jobs') readonly queue: Queue) {}
          @BuildEnumerator() build({ cursor: _ }: BuildContext) {
            return [['a', 0]] as const;
          }
          @EachIteration() each() {
            handled.push(key);
          }
        }
        const module = moduleOf([BullModule.registerQueue({ name: 'jobs', configKey: key })], [Letters]);
        return { type: Letters, module };
      };
      const [one, two] = [feature('one'), feature('two')];
      const app = await queues.startModule(
        moduleOf([
          BullModule.forRoot('one', places[0] as never),
          BullModule.forRoot('two', places[1] as never),
          IterationModule.forRoot(),
          one.module,
          two.module,
        ]),
      );
      for (const { type } of [two, one, two]) {
        const { queue } = app.nest.get(type, { strict: false });
        const job = await queue.add('letters', {});
        await until('the job is done', async () => (await queue.getJobState(job.id as string)) === 'completed');
      }
      expect(handled).toEqual(['two', 'one', 'two']);
      expect(workers.length).toBe(2);

      for (const [type, key] of [
        [two.type, 'two'],
        [one.type, 'one'],
      ] as const) {
        const job = await app.iterations.enqueue(type, {}, { jobId: `enqueued-${key}` });
        await until('the job is done', async () => (await app.iterations.status(job)).state === 'completed');
        expect(handled.at(-1)).toBe(key);
        expect(await app.nest.get(type, { strict: false }).queue.getJob(`enqueued-${key}`)).toBeDefined();
      }
      expect(handled).toEqual(['two', 'one', 'two', 'two', 'one']);
    });

    it('a worker takes its telemetry from the queue', async () => {
      const spans: string[] = [];
      const { type, story } = storyProcessor();
      await runsOneJob(
        moduleOf([forRoot({ telemetry: telemetryInto(spans) }), jobs(), IterationModule.forRoot()], [type]),
        story,
      );
      expect(spans).toContain('process jobs');
    });

    it('telemetry in the worker options of a processor overrides that of the queue', async () => {
      const [ofQueue, ofWorker]: [string[], string[]] = [[], []];
      const { type, story } = storyProcessor({}, { worker: { telemetry: telemetryInto(ofWorker) } });
      await runsOneJob(
        moduleOf([forRoot({ telemetry: telemetryInto(ofQueue) }), jobs(), IterationModule.forRoot()], [type]),
        story,
      );
      expect(ofWorker).toContain('process jobs');
      expect(ofQueue).not.toContain('process jobs');
    });
  });

  it('each queue gets a BullModule.workerClass worker with the options of module and processor', async () => {
    const one = storyProcessor({}, { worker: { concurrency: 3 } });
    const two = storyProcessor({}, { queue: 'others' });
    const app = await queues.start({
      processors: [one.type, two.type],
      queues: ['jobs', 'others', 'unused'],
      iteration: { worker: { concurrency: 2, drainDelay: 1 } },
    });
    await app.settled(await app.queue('jobs').add('story', { letters: 'a' }));
    await app.settled(await app.queue('others').add('story', { letters: 'b' }));

    expect([one.story[1], two.story[1]]).toEqual(['a', 'b']);
    expect(workers.map(({ name, opts }) => [name, opts.concurrency, opts.drainDelay, opts.autorun])).toEqual([
      ['jobs', 3, 1, false],
      ['others', 2, 1, false],
    ]);
  });

  it('a worker runs as many jobs at the same time as its concurrency allows', async () => {
    let inFlight = 0;
    const gate = new Gate();
    const { type } = storyProcessor(
      {
        each: async () => {
          if (++inFlight === 5) gate.open();
          await gate.wait();
        },
      },
      { worker: { concurrency: 5 } },
    );
    const app = await queues.start({ processors: [type] });
    const added = await app
      .queue()
      .addBulk(Array.from({ length: 5 }, (_, index) => ({ name: 'story', data: { letters: `${index}` } })));
    for (const job of added) expect(await (await app.settled(job)).getState()).toBe('completed');
    expect(inFlight).toBe(5);
  });

  it('an application with workers: false creates no worker, and its jobs wait', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type], iteration: { workers: false } });
    const job = await app.iterations.enqueue(type, {});
    expect(await app.iterations.status(job)).toMatchObject({ state: 'waiting', name: 'story' });
    expect(workers).toEqual([]);
  });

  it('R17: workers take no job before the whole application has bootstrapped', async () => {
    const order: string[] = [];
    const { type, script } = storyProcessor();
    script.each = (letter) => void order.push(letter);
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('story', { letters: 'a' });

    @Injectable()
    class Slow implements OnModuleInit, OnApplicationBootstrap {
      constructor(@InjectQueue('jobs') private readonly queue: Queue) {}
      async onModuleInit() {
        await this.queue.getJobCounts();
        order.push(`init, ${workers.length} workers`);
      }
      async onApplicationBootstrap() {
        await this.queue.getJobCounts();
        order.push(`bootstrapped, ${workers.length} workers`);
      }
    }
    @Module({ imports: [jobs()], providers: [Slow] })
    class SlowModule {}
    @Global()
    @Module({ imports: [jobs()], providers: [Slow] })
    class SlowGlobalModule {}
    @Module({ imports: [forRoot(), jobs(), IterationModule, SlowModule, SlowGlobalModule], providers: [type] })
    class RootModule implements OnApplicationBootstrap {
      constructor(@InjectQueue('jobs') private readonly queue: Queue) {}
      async onApplicationBootstrap() {
        await this.queue.getJobCounts();
        await this.queue.getJobCounts();
        order.push(`root, ${workers.length} workers`);
      }
    }
    const app = await queues.startModule(RootModule);
    await app.settled(job);
    expect(order).toEqual([
      ...['init, 0 workers', 'init, 0 workers'],
      ...['bootstrapped, 0 workers', 'bootstrapped, 0 workers'],
      'root, 0 workers',
      'a',
    ]);
    expect(workers.length).toBe(1);
  });

  describe('workers with manualRegistration', () => {
    const manual = () => forRoot({ extraOptions: { manualRegistration: true } });

    it('workers start when BullRegistrar.register is called', async () => {
      const { type, story } = storyProcessor();
      const app = await queues.startModule(moduleOf([manual(), jobs(), IterationModule.forRoot()], [type]));
      const job = await app.queue().add('story', { letters: 'a' });
      expect([workers.length, story]).toEqual([0, []]);
      app.nest.get(BullRegistrar, { strict: false }).register();
      await app.settled(job);
      expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
      expect(workers.length).toBe(1);
    });

    it.each(['onModuleInit', 'onApplicationBootstrap'] as const)(
      'workers start after bootstrap when %s calls BullRegistrar.register',
      async (hook) => {
        const { type, story } = storyProcessor();
        let made = -1;
        @Module({ imports: [jobs()] })
        class EarlyModule {
          constructor(private readonly registrar: BullRegistrar) {}
          [hook]() {
            this.registrar.register();
            made = workers.length;
          }
        }
        await runsOneJob(moduleOf([manual(), EarlyModule, jobs(), IterationModule.forRoot()], [type]), story);
        expect(made).toBe(0);
      },
    );

    it('workers start once, however often BullRegistrar.register is called', async () => {
      const { type, story } = storyProcessor();
      @Injectable()
      class Eager implements OnModuleInit, OnApplicationBootstrap {
        constructor(private readonly registrar: BullRegistrar) {}
        onModuleInit() {
          this.registrar.register();
        }
        onApplicationBootstrap() {
          this.registrar.register();
        }
      }
      const app = await runsOneJob(moduleOf([manual(), jobs(), IterationModule.forRoot()], [type, Eager]), story);
      app.nest.get(BullRegistrar, { strict: false }).register();
      expect(workers.length).toBe(1);
    });
  });

  describe('workers of a module', () => {
    it('workers of a plain IterationModule import take every default', async () => {
      const { type, story } = storyProcessor();
      await runsOneJob(moduleOf([forRoot(), jobs(), IterationModule], [type]), story);
      expect(workers[0]?.opts).toMatchObject({ concurrency: 1, ...resolveRunOptions({}, {}).worker });
    });

    it('two feature modules that import a plain IterationModule share one worker', async () => {
      const { type, story } = storyProcessor();
      const features = [moduleOf([jobs(), IterationModule], [type]), moduleOf([IterationModule])];
      await runsOneJob(moduleOf([forRoot(), ...features]), story);
    });

    it.each(['before', 'after'])('a plain IterationModule %s the configured one adds no worker', async (place) => {
      const { type, story } = storyProcessor();
      const feature = moduleOf([jobs(), IterationModule], [type]);
      const configured = IterationModule.forRoot({ worker: { concurrency: 4 } });
      const imports = place === 'before' ? [feature, configured] : [configured, feature];
      await runsOneJob(moduleOf([forRoot(), ...imports]), story);
      expect(workers[0]?.opts.concurrency).toBe(4);
    });

    it('services of a plain IterationModule know the processors of the configured one', async () => {
      const { type } = storyProcessor();
      const unknown = storyProcessor({}, { name: 'unknown' });
      const services: IterationService[] = [];
      @Module({ imports: [IterationModule] })
      class FeatureModule {
        constructor(service: IterationService, builder: EnumeratorBuilder) {
          services.push(service);
          expect(builder).toBeInstanceOf(EnumeratorBuilder);
        }
      }
      const app = await queues.start({ processors: [type], imports: [FeatureModule] });
      for (const service of [...services, app.iterations]) {
        await expect(service.enqueue(unknown.type)).rejects.toThrow('it is no provider of any module');
        await app.settled(await service.enqueue(type, {}));
      }
    });

    describe('workers configured by forRootAsync', () => {
      const options: IterationOptions = { worker: { concurrency: 6 } };
      @Injectable()
      class Config {
        createIterationOptions() {
          return options;
        }
        create() {
          return options;
        }
      }
      @Module({ providers: [Config], exports: [Config] })
      class ConfigModule {}

      it.each([
        ['useFactory', { useFactory: async () => options }],
        [
          'useFactory with inject',
          { imports: [ConfigModule], inject: [Config], useFactory: (config: unknown) => (config as Config).create() },
        ],
        ['useClass', { useClass: Config }],
        ['useExisting', { imports: [ConfigModule], useExisting: Config }],
      ])('forRootAsync configures workers with %s', async (_, async) => {
        const { type, story } = storyProcessor();
        await runsOneJob(moduleOf([forRoot(), jobs(), IterationModule.forRootAsync(async)], [type]), story);
        expect(workers[0]?.opts.concurrency).toBe(6);
      });
    });
  });

  it('R30: workers emit their own events, and QueueEvents emits those of the queue', async () => {
    const seen: string[] = [];
    const hold = new Hold('b');
    const { type, script } = storyProcessor({ each: hold.each });
    const events = new QueueEvents('jobs', queues.place as never);
    for (const event of ['active', 'completed', 'failed', 'progress', 'waiting'] as const) {
      events.on(event, ({ jobId }: { jobId: string }) => seen.push(`${event} ${jobId}`));
    }
    await events.waitUntilReady();
    const app = await queues.start({ processors: [type] });
    const ownEvents: string[] = [];
    const listen = () => {
      for (const event of ['active', 'completed', 'failed'] as const) {
        workers.at(-1)?.on(event as 'active', (job: Job) => ownEvents.push(`${event} ${job.id}`));
      }
    };
    listen();
    const job = await app.queue().add('story', { letters: 'abc' }, { jobId: 'letters' });
    await hold.reached;
    await app.close();
    let goOn = () => {};
    script.each = () =>
      new Promise<void>((resolve) => {
        goOn = resolve;
      });
    const resumed = await queues.start({ processors: [type] });
    listen(); // before the job can complete
    script.each = undefined;
    goOn();
    await resumed.settled(job);
    // QueueEvents may report the completion before the worker does.
    await until('the worker reports the completion', () => ownEvents.includes('completed letters'));
    await until('QueueEvents reports the completion', () => seen.includes('completed letters'));
    await events.close();

    expect(ownEvents.filter((event) => event !== 'active letters')).toEqual(['completed letters']);
    expect(seen.filter((event) => event === 'progress letters').length).toBeGreaterThanOrEqual(4);
    expect(seen).not.toContain('failed letters');
  });
});

describeQueues('jobs of an unknown name', BACKENDS, (queues) => {
  const waiting: Queue[] = [];
  afterEach(async () => void (await Promise.all(waiting.splice(0).map((queue) => queue.close()))));

  async function added(name: string, options = {}): Promise<{ job: Job; queue: Queue }> {
    const queue = new Queue('jobs', queues.place as never);
    waiting.push(queue);
    return { job: await queue.add(name, { letters: 'ab' }, options), queue };
  }

  it('a job of an unknown name is put back with a delay until a worker that knows it takes it', async () => {
    const { job, queue } = await added('new', { attempts: 1 });
    const old = await queues.start({ processors: [storyProcessor({}, { name: 'old' }).type] });
    await old.settled(job, ['delayed']);
    const back = (await queue.getJob(job.id as string)) as Job;
    expect(back).toMatchObject({ attemptsMade: 0, data: { letters: 'ab' }, name: 'new' });
    expect(back.failedReason).toBeUndefined();
    expect(back.delay).toBeGreaterThan(1_000);
    expect(back.delay).toBeLessThanOrEqual(5_000);
    expect(await old.iterations.status(job)).toMatchObject({ state: 'waiting', run: 0, cursor: null, processed: 0 });
    expect(queues.logs.filter((line) => line.startsWith('warn'))).toEqual([
      `warn Job ${job.id} (jobs, new): no processor of this application handles jobs of its name; it is put back, and fails in 300000 ms (unknownJobMs)`,
    ]);
    await old.close();

    const { type, story } = storyProcessor({}, { name: 'new' });
    await back.promote();
    const next = await queues.start({ processors: [type] });
    const done = await next.settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
    expect(done.returnvalue).toEqual({ processed: 2, skipped: 0 });
    expect(queues.logs.filter((line) => line.includes('is not a checkpoint'))).toEqual([]);
  });

  it('a job of an unknown name that is put back twice warns once, and its time limit keeps running', async () => {
    const { job, queue } = await added('new');
    const app = await queues.start({ processors: [storyProcessor().type] });
    await app.settled(job, ['delayed']);
    const since = sinceOf((await queue.getJob(job.id as string)) as Job);
    await ((await queue.getJob(job.id as string)) as Job).promote();
    await until('the job is put back again', async () => {
      const again = (await queue.getJob(job.id as string)) as Job;
      return again.attemptsStarted === 2 && (await again.isDelayed());
    });
    expect(sinceOf((await queue.getJob(job.id as string)) as Job)).toBe(since);
    expect(queues.logs.filter((line) => line.startsWith('warn')).length).toBe(1);
  });

  it('a job of an unknown name fails permanently after unknownJobMs, and the error lists known names', async () => {
    const { job } = await added('new', { attempts: 5 });
    const processors = [storyProcessor().type, storyProcessor({}, { name: 'other' }).type];
    const app = await queues.start({ processors, iteration: { unknownJobMs: 300 } });
    const failed = await app.settled(job);
    expect(failed.failedReason).toBe(
      'No processor of queue "jobs" handles jobs named "new"; this application\'s are "story" (Story), "other" (Story). It was put back for 300 ms (unknownJobMs)',
    );
    expect(failed.stacktrace?.[0]).toContain('UnknownJobError');
    expect((failed.finishedOn as number) - sinceOf(failed)).toBeGreaterThanOrEqual(300);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', failedReason: failed.failedReason });
  });

  it('a job of an unknown name fails at once when unknownJobMs is 0', async () => {
    const { job } = await added('new');
    const app = await queues.start({ processors: [storyProcessor().type], iteration: { unknownJobMs: 0 } });
    expect((await app.settled(job)).failedReason).toContain('It was put back for 0 ms (unknownJobMs)');
  });

  it.each([
    ['an object', { step: 3, of: 'another library' }, { step: 3, of: 'another library' }],
    ['a number', 42, { progress: 42 }],
  ])('a job of an unknown name keeps progress of another kind: %s', async (_, progress, kept) => {
    const { job, queue } = await added('new');
    await job.updateProgress(progress);
    const app = await queues.start({ processors: [storyProcessor().type] });
    await app.settled(job, ['delayed']);
    const back = (await queue.getJob(job.id as string)) as Job;
    expect(back.progress).toEqual({ ...kept, unknownSince: expect.any(Number) });
  });

  it('a job keeps its checkpoint through a rollback and resumes after the next deploy', async () => {
    const hold = new Hold('b');
    const fresh = storyProcessor({ each: hold.each }, { name: 'new' });
    const { job, queue } = await added('new');
    await job.updateData({ letters: 'abc' });
    const before = await queues.start({ processors: [fresh.type] });
    await hold.reached;
    await before.close();

    const rolledBack = await queues.start({ processors: [storyProcessor().type] });
    await rolledBack.settled(job, ['delayed']);
    expect(await rolledBack.iterations.status(job)).toMatchObject({ state: 'interrupted', cursor: 1, processed: 2 });
    await rolledBack.close();

    fresh.script.each = undefined;
    await ((await queue.getJob(job.id as string)) as Job).promote();
    const after = await queues.start({ processors: [fresh.type] });
    const done = await after.settled(job);
    expect(fresh.story.slice(-4)).toEqual(['resume', 'c', 'complete', 'end complete']);
    expect(done.returnvalue).toEqual({ processed: 3, skipped: 0 });
    expect((done.progress as { unknownSince?: number }).unknownSince).toBeUndefined();
  });
});

function sinceOf({ progress }: Job): number {
  return (progress as { unknownSince: number }).unknownSince;
}

/** Telemetry that records the names of its spans. */
function telemetryInto(spans: string[]): Telemetry {
  const span = {
    setSpanOnContext: (context: unknown) => context,
    setAttribute() {},
    setAttributes() {},
    addEvent() {},
    recordException() {},
    end() {},
  };
  return {
    tracer: {
      startSpan(name: string) {
        spans.push(name);
        return span;
      },
    },
    contextManager: {
      with: (_context: unknown, work: (...args: unknown[]) => unknown) => work() as never,
      active: () => ({}),
      getMetadata: () => '{}',
      fromMetadata: () => ({}),
    },
  } as Telemetry;
}
