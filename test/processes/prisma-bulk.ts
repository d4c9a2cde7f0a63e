import { BullModule } from '@nestjs/bullmq';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PrismaPg } from '@prisma/adapter-pg';
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
import { nameLockTokens } from '../support/lock-tokens.js';
import { type Prisma, PrismaClient } from '../support/prisma/generated/client.js';

/** The configuration that the test gives the process. */
export interface PrismaBulkConfig {
  readonly place: object;
  readonly databaseUrl: string;
  readonly batchSize: number;
  /** The runs up to this one wait to be killed when they have updated so many rows. */
  readonly hold?: { readonly untilRun: number; readonly rows: number };
  readonly iteration?: IterationOptions;
}

nameLockTokens();
const config = JSON.parse(process.argv[2] as string) as PrismaBulkConfig;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

@Injectable()
class PrismaService extends PrismaClient implements OnModuleDestroy {
  constructor() {
    super({ adapter: new PrismaPg({ connectionString: config.databaseUrl, max: 4 }) });
  }
  async onModuleDestroy(): Promise<void> {
    await this.$disconnect();
  }
}

@Module({ providers: [PrismaService], exports: [PrismaService] })
class PrismaModule {}

/** Touches every entry that is not done. The same statement marks it done, so that the `where` excludes it. */
@IterativeProcessor({ queue: 'jobs', name: 'bulk' })
class TouchEntries {
  #updated = 0;

  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly prisma: PrismaService,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const { batchSize } = config;
    return this.enumerators.prisma.wheres(this.prisma.entry, { where: { done: false } }, { cursor, batchSize });
  }

  @EachIteration()
  async touch(where: Prisma.EntryWhereInput, { run }: IterationContext): Promise<void> {
    const { count } = await this.prisma.entry.updateMany({ where, data: { done: true, touched: { increment: 1 } } });
    say(`batch ${run} ${count} ${process.memoryUsage().rss} ${process.memoryUsage().heapUsed}`);
    this.#updated += count ?? 0;
    if (config.hold && run <= config.hold.untilRun && this.#updated >= config.hold.rows) await new Promise(() => {});
  }

  @OnIteration('complete') complete() {
    say('complete');
  }
}

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    PrismaModule,
    IterationModule.forRoot(config.iteration),
  ],
  providers: [TouchEntries],
})
class BulkModule {}

const app = await NestFactory.create(BulkModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
await app.init();
say('ready');
