/**
 * A Nest application with a job over more numbers than it can ever handle. It reports its first item and its
 * checkpoint.
 */
import { BullModule } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { config, type Place, send } from './message.js';

/** The configuration of this worker, of `handmade-worker` and of `plain-worker`. */
export interface NumbersConfig {
  readonly place: Place;
  readonly queue: string;
}

const { place, queue } = config<NumbersConfig>();

@Injectable()
abstract class Numbers {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(Number.MAX_SAFE_INTEGER, { cursor });
  }

  @EachIteration()
  each(item: number): Promise<void> | void {
    if (item === 0) send('first');
  }

  /** The checkpoint is saved. */
  @OnIteration('interrupt')
  interrupt() {
    send('checkpoint');
  }
}

@IterativeProcessor({ queue, name: 'sync' })
class SyncNumbers extends Numbers {}

@IterativeProcessor({ queue, name: 'async' })
class AsyncNumbers extends Numbers {
  @EachIteration()
  override async each(item: number): Promise<void> {
    if (item === 0) send('first');
  }
}

@Module({
  imports: [BullModule.forRoot(place), BullModule.registerQueue({ name: queue }), IterationModule],
  providers: [SyncNumbers, AsyncNumbers],
})
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
app.enableShutdownHooks();
