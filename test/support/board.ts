import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { type DynamicModule, type INestApplication, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Queue } from 'bullmq';
import { type BoardOptions, IterationBoardModule } from '../../lib/board/index.js';
import { IterationModule, type IterationOptions } from '../../lib/index.js';
import type { QueuePlace } from './app.js';

export type Platform = 'express' | 'fastify';
export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

export interface BoardAppOptions {
  readonly platform?: Platform;
  readonly place: QueuePlace;
  readonly board: BoardOptions | DynamicModule;
  readonly processors?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule)[];
  readonly queues?: readonly string[];
  readonly iteration?: IterationOptions;
  /** What an application does before it listens. */
  readonly prepare?: (app: INestApplication) => unknown;
  readonly port?: number;
}

/** An application with a board that listens on 127.0.0.1, and its address without a slash at the end. */
export async function startBoard({
  platform = 'express',
  place,
  board,
  processors = [],
  imports = [],
  queues = ['jobs'],
  iteration = {},
  prepare,
  port = 0,
}: BoardAppOptions): Promise<{ readonly app: INestApplication; readonly url: string }> {
  @Module({
    imports: [
      BullModule.forRoot(place as never),
      BullModule.registerQueue(...queues.map((name) => ({ name }))),
      IterationModule.forRoot(iteration),
      'module' in board ? board : IterationBoardModule.forRoot(board),
      ...imports,
    ],
    providers: [...processors],
  })
  class BoardTestModule {}
  const options = { logger: false as const, abortOnError: false, forceCloseConnections: true };
  const app =
    platform === 'express'
      ? await NestFactory.create(BoardTestModule, options)
      : await NestFactory.create(BoardTestModule, new FastifyAdapter() as never, options);
  await prepare?.(app);
  // Without a listener BullMQ prints each failed connection.
  for (const name of queues) app.get<Queue>(getQueueToken(name), { strict: false }).on('error', () => {});
  await app.listen(port, '127.0.0.1');
  return { app, url: (await app.getUrl()).replace(/\/$/, '') };
}
