import '../integrations/recipes/sentry.js';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as Sentry from '@sentry/nestjs';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
} from '../../lib/index.js';
import type { Backend } from '../support/backend.js';
import { useBackend } from '../support/backend.js';

export interface SentryConfig {
  readonly backend: Backend;
  readonly place: object;
}

const { backend, place } = JSON.parse(process.argv[2] as string) as SentryConfig;

/** The first item interrupts the run; the second one fails, with a tag in the scope if the job's name says so. */
@IterativeProcessor({ queue: 'jobs', worker: { concurrency: 2 } })
class Reported {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(2, { cursor });
  }

  @EachIteration()
  each(item: number, { job, retryIn }: IterationContext) {
    if (job.name === 'tagged') Sentry.setTag('customer', '42');
    if (item === 0) return retryIn(0);
    throw new RangeError(`bad ${job.name}`);
  }
}

@Module({
  imports: [
    BullModule.forRoot(place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    IterationModule.forRoot({}),
  ],
  providers: [Reported],
})
class Root {}

useBackend(backend);
const app = await NestFactory.createApplicationContext(Root, { logger: false });
app.enableShutdownHooks();
console.log('ready');
