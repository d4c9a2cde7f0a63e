import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../support/prisma/generated/client.js';
import { config } from './worker.config.js';

/** Enough for three jobs at once, each with its transaction and its source. */
export const CONNECTIONS = 8;

/** Connections of the ledger and of the keyset source. They stay open until the last run has ended. */
@Injectable()
export class LedgerPool extends pg.Pool implements OnModuleDestroy {
  constructor() {
    super({ connectionString: config.databaseUrl, max: 4 });
  }
  onModuleDestroy(): Promise<void> {
    return this.end();
  }
}

@Injectable()
export class PrismaService extends PrismaClient implements OnModuleDestroy {
  constructor() {
    super({ adapter: new PrismaPg({ connectionString: config.databaseUrl, max: CONNECTIONS }) });
  }
  onModuleDestroy(): Promise<void> {
    return this.$disconnect();
  }
}

@Module({ providers: [LedgerPool, PrismaService], exports: [LedgerPool, PrismaService] })
export class ConnectionsModule {}
