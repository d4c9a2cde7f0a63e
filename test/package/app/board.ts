import 'reflect-metadata';
import assert from 'node:assert/strict';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InvalidOptionsError, IterationModule } from 'nestjs-iteration';
import { type BoardOptions, IterationBoardModule } from 'nestjs-iteration/board';

const options: BoardOptions = { token: 'a secret' };

@Module({
  imports: [
    BullModule.forRoot({ connection: { url: process.env.REDIS_URL as string, maxRetriesPerRequest: null } }),
    BullModule.registerQueue({ name: 'greetings' }),
    IterationModule.forRoot({ workers: false }),
    IterationBoardModule.forRoot(options),
  ],
})
class AppModule {}

async function main(): Promise<void> {
  assert.throws(() => IterationBoardModule.forRoot({}), InvalidOptionsError);
  // Its controllers read the page's files, and inject what the main entry provides: the classes of both entries are the same.
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'], abortOnError: false });
  await app.close();
}

void main();
