import 'reflect-metadata';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterationService,
  type IterationStatus,
  IterativeProcessor,
  type JobRef,
  OnIteration,
} from 'nestjs-iteration';

interface Greeting {
  readonly greeting: string;
}

@IterativeProcessor('greetings')
class Greet {
  readonly said: string[] = [];
  completions = 0;

  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<Greeting, number>) {
    return this.enumerators.array(['Ada', 'Alan', 'Grace'], { cursor });
  }

  @EachIteration()
  each(name: string, { data }: IterationContext<Greeting>): void {
    this.said.push(`${data.greeting}, ${name}`);
  }

  @OnIteration('complete')
  complete(): void {
    this.completions += 1;
  }
}

@Module({
  imports: [
    BullModule.forRoot({
      connection: { url: process.env.REDIS_URL as string, maxRetriesPerRequest: null },
      prefix: `package-${process.pid}-${Date.now()}`,
    }),
    BullModule.registerQueue({ name: 'greetings' }),
    IterationModule.forRoot(),
  ],
  providers: [Greet],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  const iterations = app.get(IterationService);
  const job = await iterations.enqueue(Greet, { greeting: 'Hello' });
  const { state, processed, size, percent } = await ended(iterations, job);
  const { said, completions } = app.get(Greet);
  await app.close();
  assert.deepEqual(
    { state, processed, size, percent, said, completions },
    {
      state: 'completed',
      processed: 3,
      size: 3,
      percent: 100,
      said: ['Hello, Ada', 'Hello, Alan', 'Hello, Grace'],
      completions: 1,
    },
  );
}

async function ended(iterations: IterationService, job: JobRef): Promise<IterationStatus> {
  for (;;) {
    const status = await iterations.status(job);
    if (status.state === 'completed' || status.state === 'failed') return status;
    await sleep(20);
  }
}

void main();
