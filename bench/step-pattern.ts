/**
 * BullMQ's documented pattern "process step jobs", which saves after each item (`job.updateData({ ...job.data, step
 * })`), against our job over the same items with the default checkpoint, and with a checkpoint after each item. The
 * handlers do nothing. Interleaved, medians of five rounds.
 *
 * `ITEMS=20000` items by default.
 */
import { Injectable } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { QUEUE, startApp } from './app.js';
import { openBareQueue } from './bare-queue.js';
import { counted, jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ITEMS = Number(process.env.ITEMS ?? 20_000);

async function handle(_item: number): Promise<void> {}

@Injectable()
abstract class Items {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(ITEMS, { cursor });
  }

  @EachIteration()
  async each(item: number) {
    await handle(item);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'default checkpoint' })
class DefaultCheckpoint extends Items {}

@IterativeProcessor({ queue: QUEUE, name: 'checkpoint an item', checkpoint: { everyItems: 1 } })
class CheckpointAnItem extends Items {}

const app = await startApp([DefaultCheckpoint, CheckpointAnItem]);
const steps = await openBareQueue(app, 'steps', async (job) => {
  let { step = 0 } = job.data as { step?: number };
  while (step < ITEMS) {
    await handle(step);
    step++;
    await job.updateData({ ...job.data, step });
  }
  return step;
});

try {
  const rounds = await interleaved({
    steps: counted(ITEMS, async () => (await steps.queue.add('steps', {})).waitUntilFinished(steps.events)),
    'default checkpoint': jobOver(ITEMS, app, 'default checkpoint'),
    'checkpoint an item': jobOver(ITEMS, app, 'checkpoint an item'),
  });
  const compared = { against: 'steps', name: "BullMQ's step pattern", items: ITEMS, unit: 'items' } as const;
  report(rounds.rates('a job with the default checkpoint', { ...compared, ours: 'default checkpoint' }));
  report(rounds.rates('a job with a checkpoint after each item', { ...compared, ours: 'checkpoint an item' }));
} finally {
  await steps.close();
  await app.close();
}
