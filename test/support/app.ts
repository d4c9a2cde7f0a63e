import { randomUUID } from 'node:crypto';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, type INestApplicationContext, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Job, Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { IterationModule, type IterationOptions, IterationService } from '../../lib/index.js';
import { BACKENDS, type Backend, backendsOf, useBackend } from './backend.js';
import { createDatabase, type TestDatabase } from './database.js';
import { until } from './until.js';

export { BACKENDS, type Backend, backendsOf };

/** The options of `BullModule.forRoot`: a private prefix in Redis, or a private schema. */
export interface QueuePlace {
  readonly connection: object;
  readonly prefix?: string;
}

/** Declares a suite against real queues. Each test has its own place, and its apps are closed when it ends. */
export function describeQueues(name: string, backends: readonly Backend[], suite: (queues: Queues) => void): void {
  describe.each(backendsOf(name, backends))(`${name} (%s)`, (backend) => {
    const queues = new Queues(backend);
    beforeAll(() => queues.open());
    beforeEach(() => queues.move());
    afterEach(() => queues.closeApps());
    afterAll(() => queues.close());
    suite(queues);
  });
}

export interface AppOptions {
  readonly processors?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule)[];
  readonly queues?: readonly string[];
  readonly iteration?: IterationOptions;
}

/** A test's process has no shutdown hooks: the library warns of that after a second, in slow tests. */
const NO_HOOKS = /listens for SIGTERM/;

/** Apps over one place: an app that is started later finds the jobs of the apps before it. */
export class Queues {
  /** The lines of Nest's Logger in this test. */
  logs: string[] = [];
  readonly #apps = new Set<INestApplicationContext>();
  #database: TestDatabase | undefined;
  #place!: QueuePlace;

  constructor(readonly backend: Backend) {}

  async open(): Promise<void> {
    useBackend(this.backend);
    if (this.backend === 'postgres') this.#database = await createDatabase();
  }

  move(): void {
    this.logs = [];
    const name = `t${randomUUID().replaceAll('-', '')}`;
    this.#place = this.#database
      ? { connection: { connectionString: this.#database.url, schema: name, max: 4, migrate: true } }
      : { connection: redisConnection(), prefix: name };
  }

  moveTo(place: QueuePlace): void {
    this.#place = place;
  }

  get place(): QueuePlace {
    return this.#place;
  }

  async start({ processors = [], imports = [], queues = ['jobs'], iteration = {} }: AppOptions): Promise<TestApp> {
    @Module({
      imports: [
        BullModule.forRoot(this.#place as never),
        BullModule.registerQueue(...queues.map((name) => ({ name }))),
        IterationModule.forRoot(iteration),
        ...imports,
      ],
      providers: [...processors],
    })
    class TestModule {}
    return this.startModule(TestModule);
  }

  async startModule(module: Type | DynamicModule): Promise<TestApp> {
    const keep = (level: string) => (message: unknown) => {
      if (!NO_HOOKS.test(String(message))) this.logs.push(`${level} ${String(message)}`);
    };
    const logger = { log: keep('log'), warn: keep('warn'), error: keep('error'), fatal: keep('fatal') };
    const app = await NestFactory.createApplicationContext(module, { logger, abortOnError: false });
    this.#apps.add(app);
    return new TestApp(app, async () => {
      this.#apps.delete(app);
      await app.close();
    });
  }

  async closeApps(): Promise<void> {
    const apps = [...this.#apps];
    this.#apps.clear();
    await Promise.all(apps.map((app) => app.close()));
  }

  async close(): Promise<void> {
    await this.#database?.drop();
    useBackend('redis');
  }
}

export class TestApp {
  constructor(
    readonly nest: INestApplicationContext,
    /** Closes the app as a deploy does, but without the signal. */
    readonly close: () => Promise<void>,
  ) {}

  get iterations(): IterationService {
    return this.nest.get(IterationService);
  }

  queue(name = 'jobs'): Queue {
    return this.nest.get<Queue>(getQueueToken(name), { strict: false });
  }

  /** The job, once it is in one of the states. */
  async settled(job: Job, states: readonly string[] = ['completed', 'failed']): Promise<Job> {
    const queue = this.queue(job.queueName);
    const id = job.id as string;
    let state = 'unknown';
    return until(
      () => `job ${id} is ${states.join(' or ')}; it is ${state}`,
      async () => {
        state = await queue.getJobState(id);
        return states.includes(state) && ((await queue.getJob(id)) as Job | undefined);
      },
    );
  }
}

export function redisConnection(): { host: string; port: number } {
  const { hostname, port } = new URL(process.env.REDIS_URL as string);
  return { host: hostname, port: Number(port || 6379) };
}
