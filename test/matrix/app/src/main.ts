import 'reflect-metadata';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { IterationModule, IterationService } from 'nestjs-iteration';
import { connection } from './connection.js';
import { Lines } from './lines.js';
import { OrmModule, Rows } from './orm.js';
import { start } from './start.js';

@Module({
  imports: [
    BullModule.forRootAsync({
      useFactory: async () => ({ connection: await connection(), prefix: process.env.PREFIX as string }),
    }),
    BullModule.registerQueue({ name: 'cell' }),
    IterationModule.forRoot({ worker: { concurrency: 2 } }),
    OrmModule,
  ],
  providers: [Lines, Rows],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await start(AppModule);
  app.enableShutdownHooks();
  if (process.env.STOPS !== 'yes') return;
  const iterations = app.get(IterationService);
  await iterations.enqueue(Lines, {}, { attempts: 3 });
  await iterations.enqueue(Rows, {}, { attempts: 3 });
}

void main();
