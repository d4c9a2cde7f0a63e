import { BullModule, InjectQueue } from '@nestjs/bullmq';
import { Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import { EnumeratorBuilder, IterationModule, IterativeProcessor } from '../../lib/index.js';
import { useBackend } from '../support/backend.js';
import { nameLockTokens } from '../support/lock-tokens.js';
import { reportSaves } from './saves.js';
import { config, say } from './worker.config.js';
import { type Modules, Numbers, numbersModule, running } from './worker.numbers.js';

@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class PlainNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder) {
    super(enumerators, async () => {});
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

/** Loads TypeORM and Prisma only where they are used: most workers need neither, and start sooner. */
async function modules(): Promise<Modules> {
  switch (config.variant) {
    case undefined:
    case 'plain':
      return [numbersModule({ providers: [PlainNumbers] })];
    case 'adds':
      return [numbersModule({ imports: [BullModule.registerQueue({ name: 'other' })], providers: [AddingNumbers] })];
    case 'two modules':
      return [
        numbersModule({ providers: [PlainNumbers] }),
        numbersModule({ imports: [BullModule.registerQueue({ name: 'more' })], providers: [MoreNumbers] }),
      ];
    case 'typeorm first':
    case 'typeorm last':
      return (await import('./worker.typeorm.js')).modules(config.variant);
    case 'prisma module':
    case 'own prisma':
    case 'global processor':
      return (await import('./worker.prisma.js')).modules(config.variant);
  }
}

nameLockTokens();
if (config.saysSaves) reportSaves(say);
const imports = await modules();
if (config.postgresQueue) useBackend('postgres');

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    ...imports,
    IterationModule.forRoot({ worker: { concurrency: 5 }, ...config.iteration }),
    SlowModule,
  ],
})
class WorkerModule {}

const app = await NestFactory.create(WorkerModule, { logger: ['log', 'warn', 'error', 'fatal'] });
running.close = () => app.close();
if (config.shutdownHooks !== false) app.enableShutdownHooks();
await app.init();
say('ready');
if (config.closeAtBootstrap) {
  await app.close();
  say('closed');
}
