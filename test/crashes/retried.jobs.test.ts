import { Injectable } from '@nestjs/common';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { until } from '../support/until.js';

describeQueues('manual retries of a job without hooks', BACKENDS, (queues) => {
  it.each(['failed', 'completed'] as const)(
    'R19: a %s job that is retried by hand saves a checkpoint when its run begins',
    async (end) => {
      const hold = new Gate();
      let runs = 0;

      @Injectable()
      @IterativeProcessor({ queue: 'jobs', name: 'bare', checkpoint: { everyMs: 600_000 } })
      class Bare {
        constructor(private readonly enumerators: EnumeratorBuilder) {}
        @BuildEnumerator() build({ cursor }: BuildContext) {
          return this.enumerators.times(1, { cursor: cursor as number | null });
        }
        @EachIteration() async each() {
          if (++runs === 2) return hold.wait();
          if (end === 'failed') throw new Error('not yet');
        }
      }
      const app = await queues.start({ processors: [Bare] });
      const added = await app.queue().add('bare', {});
      await app.settled(added, [end]);
      const job = (await app.queue().getJob(added.id as string)) as Job;
      await job.retry(end);
      await hold.reached;
      const { progress } = (await app.queue().getJob(job.id as string)) as Job;
      hold.open();
      expect(progress).toMatchObject({ running: 'items' });
      expect(progress).not.toHaveProperty('ended');
      await until('the job has ended', async () => (await job.getState()) === 'completed');
    },
  );
});
