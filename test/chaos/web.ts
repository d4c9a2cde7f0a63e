import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import { IterationModule, IterationService } from '../../lib/index.js';
import { useBackend } from '../support/backend.js';

export interface Place {
  readonly place: object;
  readonly backend: 'redis' | 'postgres';
}

/** A web process: it controls the jobs of the queue, and has no workers. */
export interface Web {
  readonly iterations: IterationService;
  readonly queue: Queue;
  close(): Promise<void>;
}

export async function openWeb({ place, backend }: Place): Promise<Web> {
  useBackend(backend);
  @Module({
    imports: [
      BullModule.forRoot(place as never),
      BullModule.registerQueue({ name: 'chaos' }),
      IterationModule.forRoot({ workers: false }),
    ],
  })
  class WebModule {}
  const app = await NestFactory.createApplicationContext(WebModule, { logger: ['error'] });
  const queue = app.get<Queue>(getQueueToken('chaos'));
  queue.on('error', () => {}); // Redis is down now and then
  await queue.waitUntilReady();
  return { iterations: app.get(IterationService), queue, close: () => app.close() };
}
