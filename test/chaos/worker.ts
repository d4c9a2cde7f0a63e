import { BullModule } from '@nestjs/bullmq';
import { Module, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { IterationModule, PrismaTransactionHost, TypeOrmTransactionHost } from '../../lib/index.js';
import { useBackend } from '../support/backend.js';
import { PlainChaos, PrismaChaos, TypeOrmChaos } from './chaos.processor.js';
import { CONNECTIONS, ConnectionsModule, PrismaService } from './connections.js';
import { printLateness } from './lateness.js';
import { ContinuingParts, ExactlyOnceParts, FailingParts, SkippingParts } from './parted.processors.js';
import { Entry } from './sources.js';
import { config } from './worker.config.js';

const TYPEORM: Provider = {
  provide: TypeOrmTransactionHost,
  useFactory: (typeorm: DataSource) => new TypeOrmTransactionHost(typeorm),
  inject: [DataSource],
};

function providers(): Provider[] {
  return [TYPEORM, FailingParts, ContinuingParts, SkippingParts, ExactlyOnceParts, ...wholes()];
}

/** Processors of the jobs that are not split. */
function wholes(): Provider[] {
  switch (config.transactions) {
    case 'none':
      return [PlainChaos];
    case 'typeorm':
      return [TypeOrmChaos];
    case 'prisma': {
      const useFactory = (prisma: PrismaService) => new PrismaTransactionHost(prisma);
      return [PrismaChaos, { provide: PrismaTransactionHost, useFactory, inject: [PrismaService] }];
    }
  }
}

useBackend(config.backend);

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'chaos' }),
    ConnectionsModule,
    TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, entities: [Entry], poolSize: CONNECTIONS }),
    IterationModule.forRoot(config.iteration),
  ],
  providers: providers(),
})
class ChaosModule {}

printLateness();
const app = await NestFactory.create(ChaosModule, { logger: ['log', 'warn', 'error', 'fatal'] });
app.enableShutdownHooks();
await app.init();
process.stdout.write('ready\n');
