import 'reflect-metadata';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { BullModule } from '@nestjs/bullmq';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterationService,
  IterativeProcessor,
} from 'nestjs-iteration';

/** Like a database client in the processor's own module: closed in the first phase of the shutdown. */
@Injectable()
class Client implements OnModuleDestroy {
  used = 0;
  #open = true;

  async use(): Promise<void> {
    await sleep(10);
    assert.ok(this.#open, 'the client is used after it was closed');
    this.used += 1;
  }

  async onModuleDestroy(): Promise<void> {
    this.#open = false;
  }
}

@IterativeProcessor('numbers')
class Count {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly client: Client,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<object, number>) {
    return this.enumerators.times(10_000, { cursor });
  }

  @EachIteration()
  async each(_number: number): Promise<void> {
    await this.client.use();
  }
}

const prefix = `package-shutdown-${process.pid}-${Date.now()}`;
const imports = [
  BullModule.forRoot({ connection: { url: process.env.REDIS_URL as string, maxRetriesPerRequest: null }, prefix }),
  BullModule.registerQueue({ name: 'numbers' }),
];

@Module({ imports: [...imports, IterationModule], providers: [Count, Client] })
class WorkerModule {}

@Module({ imports: [...imports, IterationModule.forRoot({ workers: false })] })
class ControlModule {}

/** R14: the job goes back to the queue while everything that its handler uses still works. */
async function main(): Promise<void> {
  const control = await NestFactory.createApplicationContext(ControlModule, { logger: ['error', 'warn'] });
  const iterations = control.get(IterationService);
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
  const job = await iterations.enqueue(Count, {});
  const client = app.get(Client);
  while (client.used < 5) await sleep(5);
  await app.close();
  const { state, processed, cursor, failures, lastInterruption } = await iterations.status(job);
  await control.close();
  assert.deepEqual(
    { state, processed, cursor, failures, reason: lastInterruption?.reason },
    { state: 'interrupted', processed: client.used, cursor: client.used - 1, failures: 0, reason: 'shutdown' },
  );
}

void main();
