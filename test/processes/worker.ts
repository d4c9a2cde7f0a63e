import { BullModule, InjectQueue } from '@nestjs/bullmq';
import {
  type DynamicModule,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PrismaPg } from '@prisma/adapter-pg';
import { createPostgresBackend, type Queue, setDefaultBackendFactory } from 'bullmq';
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
import { PrismaClient } from '../support/prisma/generated/client.js';

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
    | 'prisma module'
    | 'own prisma'
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
  /** The handler of the third item never returns, and the application is closed then. */
  readonly hangs?: boolean;
  readonly crashAt?: 'build' | 'floating rejection';
  /** Nothing is said of single items. */
  readonly quiet?: boolean;
}

const config = JSON.parse(process.argv[2] as string) as WorkerConfig;
const { items = 1_000, itemMs = 10 } = config;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** As a Prisma service usually is: gone in the first phase of the shutdown. */
@Injectable()
export class PrismaService extends PrismaClient implements OnModuleInit, OnModuleDestroy {
  constructor() {
    super({ adapter: new PrismaPg({ connectionString: config.databaseUrl, max: 5 }) });
  }
  async onModuleInit(): Promise<void> {
    await this.$connect();
  }
  async onModuleDestroy(): Promise<void> {
    await this.$disconnect();
    say('prisma disconnected');
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
    if (config.hangs && item === 2) {
      void app.close().then(() => say('closed'));
      await new Promise(() => {});
    }
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
class PrismaNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, prisma: PrismaService) {
    super(enumerators, async () => void (await prisma.$queryRaw`SELECT 1`));
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

@Module({ providers: [PrismaService], exports: [PrismaService] })
class PrismaModule {}

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

function modules(): (DynamicModule | typeof PrismaModule)[] {
  const typeorm = () => TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, poolSize: 5 });
  const numbers = (module: Partial<DynamicModule>): DynamicModule => ({ module: class NumbersModule {}, ...module });
  switch (config.variant ?? 'plain') {
    case 'plain':
      return [numbers({ providers: [PlainNumbers] })];
    case 'typeorm first':
      return [typeorm(), numbers({ providers: [TypeOrmNumbers] })];
    case 'typeorm last':
      return [numbers({ providers: [TypeOrmNumbers] }), typeorm()];
    case 'prisma module':
      return [PrismaModule, numbers({ imports: [PrismaModule], providers: [PrismaNumbers] })];
    case 'own prisma':
      return [numbers({ providers: [PrismaNumbers, PrismaService] })];
    case 'global processor':
      return [numbers({ global: true, imports: [PrismaModule], providers: [PrismaNumbers] })];
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
