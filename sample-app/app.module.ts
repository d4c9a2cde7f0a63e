import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IterationModule } from 'nestjs-iteration';
import { IterationBoardModule } from 'nestjs-iteration/board';
import { ShippingZone } from './entities/shipping-zone.entity.js';
import { ZipCode } from './entities/zip-code.entity.js';
import { PrismaModule } from './prisma/prisma.module.js';
import { FindShippingZones } from './processors/find-shipping-zones.processor.js';
import { ImportBirdStrikes } from './processors/import-bird-strikes.processor.js';
import { ImportZipCodes } from './processors/import-zip-codes.processor.js';
import { SettleClaims } from './processors/settle-claims.processor.js';
import { DATA_SCHEMA, databaseUrl } from './servers/database.js';
import { queueServer } from './servers/queue.js';
import { Summary } from './summary/summary.js';
import { Progress } from './terminal/progress.js';
import { Terminal } from './terminal/terminal.js';
import { TerminalLogger } from './terminal/terminal.logger.js';

@Module({
  imports: [
    BullModule.forRootAsync({ useFactory: queueServer }),
    BullModule.registerQueue({ name: 'sample' }),
    IterationModule.forRoot({ worker: { concurrency: 2 } }),
    TypeOrmModule.forRootAsync({
      useFactory: () => ({
        type: 'postgres',
        url: databaseUrl(),
        schema: DATA_SCHEMA,
        entities: [ZipCode, ShippingZone],
      }),
    }),
    TypeOrmModule.forFeature([ZipCode, ShippingZone]),
    PrismaModule,
  ],
  providers: [
    ImportZipCodes,
    FindShippingZones,
    ImportBirdStrikes,
    SettleClaims,
    Terminal,
    TerminalLogger,
    Progress,
    Summary,
  ],
})
export class AppModule {}

/** The same with its board. It listens on this machine alone: nothing else protects the board. */
@Module({ imports: [AppModule, IterationBoardModule.forRoot({ access: 'public' })] })
export class AppWithBoardModule {}
