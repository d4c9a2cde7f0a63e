import { Injectable } from '@nestjs/common';
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
} from '../../lib/index.js';
import { BOTH, describeQueues, type TestApp } from '../support/app.js';

/** No checkpoint by time or by count in any run of these tests. */
const RARELY = { everyMs: 600_000 };

describeQueues('a run that loses its lock in its first item, before any checkpoint', BOTH, (queues) => {
  let app: TestApp;

  /** Takes the job away from the run, which can then no longer write to it. */
  async function loseLock({ job }: IterationContext): Promise<void> {
    const other = (await app.queue().getJob(job.id as string)) as Job;
    await other.moveToWait(job.token as string);
  }

  it('R11: the next run does not call the start hook again', async () => {
    const runs: string[] = [];

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'bare', checkpoint: RARELY })
    class Bare {
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return this.enumerators.times(1, { cursor: cursor as number | null });
      }
      @OnIteration('start') start() {
        runs.push('start');
      }
      @EachIteration() async each(_: number, context: IterationContext) {
        if (runs.push('item') === 2) await loseLock(context);
      }
    }
    app = await queues.start({ processors: [Bare] });
    await app.settled(await app.queue().add('bare', {}));
    expect(runs).toEqual(['start', 'item', 'item']);
  });

  it('R11: the next run calls the resume hook of a processor without a start hook', async () => {
    const runs: string[] = [];

    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'bare', checkpoint: RARELY })
    class Bare {
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return this.enumerators.times(1, { cursor: cursor as number | null });
      }
      @EachIteration() async each(_: number, context: IterationContext) {
        if (runs.push(`item in run ${context.run}`) === 1) await loseLock(context);
      }
      @OnIteration('resume') resume({ run }: IterationContext) {
        runs.push(`resume in run ${run}`);
      }
    }
    app = await queues.start({ processors: [Bare] });
    await app.settled(await app.queue().add('bare', {}));
    expect(runs).toEqual(['item in run 1', 'resume in run 2', 'item in run 2']);
  });
});
