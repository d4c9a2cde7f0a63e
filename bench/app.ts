import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type JobsOptions, Queue, QueueEvents } from 'bullmq';
import { DEAD_LETTERS } from '../lib/dead-letters/dead-letter.queue.js';
import { IterationModule, type IterationOptions } from '../lib/index.js';
import { redisConnection } from '../test/support/app.js';

/** The queue of every bench. */
export const QUEUE = 'bench';

export interface BenchApp {
  readonly queue: Queue;
  readonly place: { readonly connection: object; readonly prefix: string };
  /** Runs a job from `add` to its end. */
  run(name: string, data?: unknown, options?: JobsOptions): Promise<unknown>;
  close(): Promise<void>;
}

/** A Nest application with these processors, over its own prefix in Redis. */
export async function startApp(processors: readonly Provider[], iteration: IterationOptions = {}): Promise<BenchApp> {
  const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };
  @Module({
    imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: QUEUE }), IterationModule.forRoot(iteration)],
    providers: [...processors],
  })
  class BenchModule {}
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
  const queue = app.get<Queue>(getQueueToken(QUEUE), { strict: false });
  const letters = new Queue(QUEUE + DEAD_LETTERS, place);
  const events = new QueueEvents(QUEUE, place);
  await events.waitUntilReady();
  return {
    queue,
    place,
    run: async (name, data = {}, options) => (await queue.add(name, data, options)).waitUntilFinished(events),
    close: async () => {
      await events.close();
      await queue.obliterate({ force: true });
      await letters.obliterate({ force: true });
      await letters.close();
      await app.close();
    },
  };
}
