import { Injectable, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { EnumeratorBuilder, IterativeProcessor } from '../../lib/index.js';
import { PrismaClient } from '../support/prisma/generated/client.js';
import { config, say } from './worker.config.js';
import { type Modules, Numbers, numbersModule } from './worker.numbers.js';

/** A usual Prisma service: it disconnects in the first phase of the shutdown. */
@Injectable()
class PrismaService extends PrismaClient implements OnModuleInit, OnModuleDestroy {
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

@Module({ providers: [PrismaService], exports: [PrismaService] })
class PrismaModule {}

@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class PrismaNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, prisma: PrismaService) {
    super(enumerators, async () => void (await prisma.$queryRaw`SELECT 1`));
  }
}

export function modules(variant: 'prisma module' | 'own prisma' | 'global processor'): Modules {
  const providers = [PrismaNumbers];
  switch (variant) {
    case 'prisma module':
      return [PrismaModule, numbersModule({ imports: [PrismaModule], providers })];
    case 'own prisma':
      return [numbersModule({ providers: [...providers, PrismaService] })];
    case 'global processor':
      return [numbersModule({ global: true, imports: [PrismaModule], providers })];
  }
}
