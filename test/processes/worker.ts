import { BullModule, InjectQueue } from '@nestjs/bullmq';
import {
  type DynamicModule,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { createPostgresBackend, type Queue, setDefaultBackendFactory } from 'bullmq';
import pg from 'pg';
import { DataSource } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  type IterationOptions,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';

/** What a worker process is told by its test. */
export interface WorkerConfig {
  readonly place: object;
  readonly postgresQueue?: boolean;
  readonly databaseUrl?: string;
  /** Where the database, or whatever handlers use, stands among the modules. */
  readonly variant?:
    | 'plain'
    | 'typeorm first'
    | 'typeorm last'
    | 'client module'
    | 'own client'
    | 'global processor'
    | 'adds'
    | 'two modules';
  readonly items?: number;
  /** Of each handler; 0: synchronous and empty. */
  readonly itemMs?: number;
  readonly iteration?: IterationOptions;
  readonly shutdownHooks?: boolean;
  readonly slowBootstrapMs?: number;
  readonly closeAtBootstrap?: boolean;
  readonly crashAt?: 'build' | 'floating rejection';
  /** Nothing is said of single items. */
  readonly quiet?: boolean;
}

const config = JSON.parse(process.argv[2] as string) as WorkerConfig;
const { items = 1_000, itemMs = 10 } = config;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What handlers use, as a Prisma service usually is: gone in the first phase of the shutdown. */
@Injectable()
export class Client implements OnModuleDestroy {
  readonly #pool = new pg.Pool({ connectionString: config.databaseUrl ?? 'postgres://', max: 5 });
  async query(): Promise<void> {
    await this.#pool.query('SELECT 1');
  }
  async onModuleDestroy(): Promise<void> {
    await this.#pool.end();
    say('client closed');
  }
}

type Use = (context: IterationContext) => Promise<void>;

abstract class Numbers {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly use: Use,
  ) {}

  @BuildEnumerator()
  build({ cursor, job }: BuildContext) {
    if (config.crashAt === 'build' && job.attemptsStarted === 1) process.kill(process.pid, 'SIGKILL');
    return this.enumerators.times(items, { cursor });
  }

  @EachIteration()
  each(item: number, context: IterationContext): Promise<void> | undefined {
    if (itemMs === 0) return undefined;
    return this.handle(item, context);
  }

  private async handle(item: number, context: IterationContext): Promise<void> {
    if (config.crashAt === 'floating rejection' && item === 2) void Promise.reject(new Error('nobody awaits me'));
    await new Promise((resolve) => setTimeout(resolve, itemMs));
    await this.use(context);
    if (!config.quiet) say(`item ${context.job.id} ${item}`);
  }

  @OnIteration('start') start({ job }: IterationContext) {
    say(`start ${job.id}`);
  }
  @OnIteration('resume') resume({ job }: IterationContext) {
    say(`resume ${job.id}`);
  }
  @OnIteration('complete') complete({ job }: IterationContext) {
    say(`complete ${job.id}`);
  }
}

@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class PlainNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder) {
    super(enumerators, async () => {});
  }
}
@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class TypeOrmNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, database: DataSource) {
    super(enumerators, async () => void (await database.query('SELECT 1')));
  }
}
@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class ClientNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, client: Client) {
    super(enumerators, () => client.query());
  }
}
@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class AddingNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, @InjectQueue('other') other: Queue) {
    super(enumerators, async ({ job }) => void (await other.add('made', { by: job.id })));
  }
}
@IterativeProcessor({ queue: 'more', name: 'numbers', worker: { concurrency: 5 } })
class MoreNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder) {
    super(enumerators, async () => {});
  }
}

@Module({ providers: [Client], exports: [Client] })
class ClientModule {}

@Injectable()
class SlowBootstrap implements OnApplicationBootstrap {
  async onApplicationBootstrap(): Promise<void> {
    if (!config.slowBootstrapMs) return;
    say('bootstrapping');
    await new Promise((resolve) => setTimeout(resolve, config.slowBootstrapMs));
    say('bootstrapped');
  }
}

@Module({ providers: [SlowBootstrap] })
class SlowModule {}

function modules(): (DynamicModule | typeof ClientModule)[] {
  const typeorm = () => TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, poolSize: 5 });
  const numbers = (module: Partial<DynamicModule>): DynamicModule => ({ module: class NumbersModule {}, ...module });
  switch (config.variant ?? 'plain') {
    case 'plain':
      return [numbers({ providers: [PlainNumbers] })];
    case 'typeorm first':
      return [typeorm(), numbers({ providers: [TypeOrmNumbers] })];
    case 'typeorm last':
      return [numbers({ providers: [TypeOrmNumbers] }), typeorm()];
    case 'client module':
      return [ClientModule, numbers({ imports: [ClientModule], providers: [ClientNumbers] })];
    case 'own client':
      return [numbers({ providers: [ClientNumbers, Client] })];
    case 'global processor':
      return [numbers({ global: true, imports: [ClientModule], providers: [ClientNumbers] })];
    case 'adds':
      return [numbers({ imports: [BullModule.registerQueue({ name: 'other' })], providers: [AddingNumbers] })];
    case 'two modules':
      return [
        numbers({ providers: [PlainNumbers] }),
        {
          module: class MoreModule {},
          imports: [BullModule.registerQueue({ name: 'more' })],
          providers: [MoreNumbers],
        },
      ];
  }
}

if (config.postgresQueue) setDefaultBackendFactory(createPostgresBackend as never);

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    ...modules(),
    IterationModule.forRoot({ worker: { concurrency: 5 }, ...config.iteration }),
    SlowModule,
  ],
})
class WorkerModule {}

const app = await NestFactory.create(WorkerModule, { logger: ['log', 'warn', 'error', 'fatal'] });
if (config.shutdownHooks !== false) app.enableShutdownHooks();
await app.init();
say('ready');
if (config.closeAtBootstrap) {
  await app.close();
  say('closed');
}
