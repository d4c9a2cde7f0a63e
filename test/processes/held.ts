/**
 * A worker whose jobs are held, in their first run, where their data says: at an item, in `complete`, in `cancel`. SIGCONT
 * releases them all.
 */
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
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { useBackend } from '../support/backend.js';
import { nameLockTokens } from '../support/lock-tokens.js';
import { config, say } from './worker.config.js';

export interface HeldData {
  /** Items of the job. */
  readonly items: number;
  readonly holdAt?: number | 'complete' | 'cancel';
  /** The held job also waits until it is asked to stop. */
  readonly untilAsked?: boolean;
  /** What the second item does in the first run. */
  readonly second?: 'throws' | 'retries in an hour';
}

type Context = IterationContext<HeldData>;

const released = new Gate();
process.once('SIGCONT', () => released.open());

@IterativeProcessor({ queue: 'jobs', name: 'held', checkpoint: { everyItems: 1 } })
class Held {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data }: BuildContext<HeldData>) {
    return this.enumerators.times(data.items, { cursor: cursor as number | null });
  }

  @EachIteration()
  async each(item: number, context: Context): Promise<void> {
    await this.hold(item, context);
    const { data, job } = context;
    if (item === 1 && job.attemptsStarted === 1) {
      if (data.second === 'throws') throw new Error('bad row');
      if (data.second) context.retryIn(3_600_000);
    }
    say(`item ${job.id} ${item}`);
  }

  @OnIteration('complete')
  complete(context: Context): Promise<void> {
    return this.hold('complete', context);
  }

  @OnIteration('cancel')
  cancel(context: Context): Promise<void> {
    return this.hold('cancel', context);
  }

  private async hold(at: HeldData['holdAt'], context: Context): Promise<void> {
    const { data, job } = context;
    if (at !== data.holdAt || job.attemptsStarted > 1) return;
    say(`held ${job.id}`);
    await released.wait();
    while (data.untilAsked && !context.interruption) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

nameLockTokens();
if (config.postgresQueue) useBackend('postgres');

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    IterationModule.forRoot(config.iteration),
  ],
  providers: [Held],
})
class HeldModule {}

const app = await NestFactory.createApplicationContext(HeldModule, { logger: ['log', 'warn', 'error', 'fatal'] });
app.enableShutdownHooks();
say('ready');
