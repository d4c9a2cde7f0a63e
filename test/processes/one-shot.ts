/** A program that tests start: completes one job, closes its application, and prints what is still open. */
import 'reflect-metadata';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';

export interface OneShotConfig {
  readonly connection: object;
  readonly prefix: string;
}

const { connection, prefix } = JSON.parse(process.argv[2] as string) as OneShotConfig;
let ended!: () => void;
const hasEnded = new Promise<void>((resolve) => {
  ended = resolve;
});

@IterativeProcessor('jobs')
class OneShot {
  constructor(private readonly enumerators: EnumeratorBuilder) {}
  @BuildEnumerator() build({ cursor }: BuildContext) {
    return this.enumerators.times(3, { cursor });
  }
  @EachIteration() each(_item: number) {}
  @OnIteration('end') end() {
    ended();
  }
}

@Module({
  imports: [BullModule.forRoot({ connection, prefix }), BullModule.registerQueue({ name: 'jobs' }), IterationModule],
  providers: [OneShot],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
await app.get<Queue>(getQueueToken('jobs')).add('one', {});
await hasEnded;
await app.close();
process.stdout.write(
  `left open: ${process
    .getActiveResourcesInfo()
    .filter((name) => name === 'Timeout')
    .join(' ')}\n`,
);
