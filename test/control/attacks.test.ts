import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import type { HeldData } from '../processes/held.js';
import { BACKENDS, describeQueues, type Queues } from '../support/app.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { WorkerProcess } from '../support/processes.js';
import { type Data, interrupted, type Script, storyProcessor } from '../support/story.js';
import { Gate, until } from '../support/until.js';

/** A web process without workers, a worker that is started later, and the processor of its jobs. */
async function webAndWorker(queues: Queues, script: Script = {}, options = {}) {
  const processor = storyProcessor(script, options);
  const web = await queues.start({ iteration: { workers: false } });
  const worker = () => queues.start({ processors: [processor.type] });
  return { ...processor, web, worker, iterations: web.iterations };
}

const isParked = (job: Job) => until('the job is put away', () => job.isDelayed());

describeQueues('restarts that meet each other', BACKENDS, (queues) => {
  it.each(['completed', 'failed'] as const)(
    'R28: two processes restart the same %s job at once: both succeed, and it runs once more',
    async (ended) => {
      const { web, worker, iterations, type, story, script } = await webAndWorker(queues);
      const other = await queues.start({ iteration: { workers: false } });
      const first = await worker();
      script.each = () => {
        if (ended === 'failed') throw new Error('bad row');
      };
      const jobs = await Promise.all(Array.from({ length: 5 }, () => iterations.enqueue(type, { letters: 'a' })));
      for (const job of jobs) await first.settled(job, [ended]);
      await first.close();
      script.each = undefined;
      story.length = 0;
      for (const job of jobs) await Promise.all([iterations.restart(job), other.iterations.restart(job)]);
      expect(await web.queue().getJobCountByTypes('waiting')).toBe(jobs.length);
      const second = await worker();
      for (const job of jobs) await second.settled(job, ['completed']);
      expect(story).toEqual(jobs.flatMap(() => ['start', 'a', 'complete', 'end complete']));
    },
  );

  it('R28: a restart whose job has run and ended before it is retried does not run it twice', async () => {
    const { worker, iterations, type, story, web } = await webAndWorker(queues);
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'a' });
    await app.settled(job);
    const { getJobState } = web.queue();
    let looks = 0;
    web.queue().getJobState = async (id) => {
      // Between the request and the retry, another process restarts the job, which completes.
      if (++looks === 2) {
        const { iterations: others } = await queues.start({ iteration: { workers: false } });
        await others.restart(job);
        await app.settled(job);
      }
      return getJobState.call(web.queue(), id);
    };
    await iterations.restart(job);
    await app.settled(job);
    await app.close();
    expect(story.filter((event) => event === 'complete')).toHaveLength(2);
  });
});

describeQueues('requests while the source is built', BACKENDS, (queues) => {
  it('R11: a job that is paused while it builds calls no hooks, and starts after resume', async () => {
    const building = new Gate();
    const { worker, iterations, type, story, script } = await webAndWorker(queues, {
      build: async (context, enumerators) => {
        building.open();
        await interrupted(context as unknown as IterationContext<Data>);
        return enumerators.array([...'ab'], { cursor: context.cursor });
      },
    });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await building.wait();
    await iterations.pause(job, { by: 'anna' });
    await isParked(job);
    expect(story).toEqual([]);
    expect(await iterations.status(job)).toMatchObject({ state: 'paused', run: 0, interruptions: 0 });
    script.build = undefined;
    await iterations.resume(job);
    await app.settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });
});

describeQueues('a cancellation that has taken effect', BACKENDS, (queues) => {
  it('R28: once the cancel hooks may have been called, pause and resume are refused, and restart starts anew', async () => {
    const web = await queues.start({ iteration: { workers: false } });
    const config = {
      place: queues.place,
      postgresQueue: queues.backend === 'postgres',
      iteration: { worker: LASTING_LOCKS },
    };
    const first = new WorkerProcess(config, 'held');
    let second: WorkerProcess | undefined;
    try {
      const data: HeldData = { items: 3, holdAt: 'cancel' };
      const job = await web.queue().add('held', data, { jobId: 'one' });
      await web.iterations.cancel(job);
      await first.said(/^held one$/);
      const expectRefusals = async () => {
        for (const method of ['pause', 'resume'] as const)
          await expect(web.iterations[method](job)).rejects.toThrow('was cancelled: only restart() starts it again');
        await web.iterations.cancel(job);
        expect(await web.iterations.status(job)).toMatchObject({ state: 'cancelling' });
      };
      await expectRefusals();
      await first.kill();
      await endLocksOf(first.child.pid, queues);
      await expectRefusals();
      second = new WorkerProcess(config, 'held');
      await until('the next worker has ended it', () => job.isFailed());
      expect(await web.iterations.status(job)).toMatchObject({ state: 'cancelled' });
      await web.iterations.restart(job);
      await until('it is complete', () => job.isCompleted());
    } finally {
      await Promise.all([first, second].map((process) => process?.kill()));
    }
  });
});
