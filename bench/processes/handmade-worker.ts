/**
 * Does by hand, in a processor of `@nestjs/bullmq`, what `numbers-worker` does: the loop yields to the event loop now
 * and then; when the application closes, it saves the cursor and puts the job back.
 */
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Job, WaitingError } from 'bullmq';
import { config, send } from './message.js';
import type { NumbersConfig } from './numbers-worker.js';

const ITEMS_PER_TURN = 10_000;

const { place, queue } = config<NumbersConfig>();

async function handle(item: number): Promise<void> {
  if (item === 0) send('first');
}

@Processor(queue)
class Numbers extends WorkerHost implements OnModuleDestroy {
  #stopped = false;

  async process(job: Job, token: string): Promise<void> {
    const { cursor = -1 } = job.progress as { cursor?: number };
    for (let item = cursor + 1; item < Number.MAX_SAFE_INTEGER; item++) {
      await handle(item);
      if (item % ITEMS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      if (this.#stopped) return putBack(job, { cursor: item, token });
    }
  }

  /** Closes the worker first: otherwise the worker would take the job that is put back. */
  async onModuleDestroy(): Promise<void> {
    const closed = this.worker.close();
    this.#stopped = true;
    await closed;
  }
}

async function putBack(job: Job, { cursor, token }: { cursor: number; token: string }): Promise<never> {
  await job.updateProgress({ cursor });
  send('checkpoint');
  await job.moveToWait(token);
  throw new WaitingError();
}

@Module({ imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: queue })], providers: [Numbers] })
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
app.enableShutdownHooks();
