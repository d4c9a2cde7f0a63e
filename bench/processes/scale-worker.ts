/**
 * A Nest application that runs jobs in parts: `short` parts have one item; a `busy` part handles items that take no time
 * without end; an `idle` part waits in one item; an `each` part saves a checkpoint after every item, without end.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { BullModule, InjectQueue } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import {
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
  type PartitionsContext,
} from '../../lib/index.js';
import { type Backend, useBackend } from '../../test/support/backend.js';
import { config, send } from './message.js';

export type PartKind = 'short' | 'busy' | 'idle' | 'each';

/** The configuration that the bench gives the process. */
export interface ScaleWorkerConfig {
  readonly backend: Backend;
  readonly place: { readonly connection: object; readonly prefix?: string };
  readonly concurrency: number;
}

export interface ScaleData {
  readonly kind: PartKind;
  readonly parts: number;
}

const HOUR_MS = 3_600_000;

const { backend, concurrency, place } = config<ScaleWorkerConfig>();
useBackend(backend);

@Injectable()
abstract class Parts {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    @InjectQueue('scale') private readonly queue: Queue,
  ) {}

  /** The bench resumes the queue when all parts wait. */
  @BuildPartitions()
  async split({ data }: PartitionsContext<ScaleData>) {
    await this.queue.pause();
    return Array.from({ length: data.parts }, (_, index) => index);
  }

  @BuildEnumerator()
  build({ cursor, data }: BuildContext<ScaleData>) {
    return this.enumerators.times(data.kind === 'short' ? 1 : Number.MAX_SAFE_INTEGER, { cursor });
  }

  @EachIteration()
  each(_item: number, { data }: IterationContext<ScaleData>): unknown {
    return data.kind === 'idle' ? wait(HOUR_MS) : undefined;
  }
}

@IterativeProcessor({ queue: 'scale', name: 'parts', worker: { concurrency } })
class DefaultParts extends Parts {}

@IterativeProcessor({ queue: 'scale', name: 'each', checkpoint: { everyItems: 1 }, worker: { concurrency } })
class CheckpointedParts extends Parts {}

@Module({
  imports: [BullModule.forRoot(place as never), BullModule.registerQueue({ name: 'scale' }), IterationModule],
  providers: [DefaultParts, CheckpointedParts],
})
class ScaleModule {}

await NestFactory.createApplicationContext(ScaleModule, { logger: ['error'] });
send('ready');
