import { Injectable, type Type } from '@nestjs/common';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  type ProcessorOptions,
} from '../../lib/index.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';

const ONE_ITEM: ProcessorOptions = { queue: 'jobs', name: 'one item', checkpoint: { everyMs: 600_000 } };

describeQueues('a run that loses its lock in its first item, before any checkpoint', BACKENDS, (queues) => {
  let app: TestApp;
  let events: string[];

  @Injectable()
  abstract class OneItem {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildEnumerator() build({ cursor }: BuildContext) {
      return this.enumerators.times(1, { cursor: cursor as number | null });
    }

    @EachIteration() async each(_: number, { job, run }: IterationContext) {
      const isFirst = !events.some((event) => event.startsWith('item'));
      events.push(`item in run ${run}`);
      if (isFirst) await ((await app.queue().getJob(job.id as string)) as Job).moveToWait(job.token as string);
    }
  }

  async function eventsOf(processor: Type): Promise<readonly string[]> {
    events = [];
    app = await queues.start({ processors: [processor] });
    await app.settled(await app.queue().add('one item', {}));
    return events;
  }

  it('R11: the next run does not call start again', async () => {
    @Injectable()
    @IterativeProcessor(ONE_ITEM)
    class Starting extends OneItem {
      @OnIteration('start') start({ run }: IterationContext) {
        events.push(`start in run ${run}`);
      }
    }
    expect(await eventsOf(Starting)).toEqual(['start in run 1', 'item in run 1', 'item in run 2']);
  });

  it('R11: the next run calls resume of a processor that has no start hook', async () => {
    @Injectable()
    @IterativeProcessor(ONE_ITEM)
    class Resuming extends OneItem {
      @OnIteration('resume') resume({ run }: IterationContext) {
        events.push(`resume in run ${run}`);
      }
    }
    expect(await eventsOf(Resuming)).toEqual(['item in run 1', 'resume in run 2', 'item in run 2']);
  });
});
