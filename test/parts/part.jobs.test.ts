import { type Job, Worker } from 'bullmq';
import { expect, it, onTestFinished } from 'vitest';
import { LockLostError } from '../../lib/interruption/index.js';
import { PartJobs } from '../../lib/parts/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';

const HELD = { assertHeld: () => {} };

describeQueues('the parts of a job', BACKENDS, (queues) => {
  it('R27: a part that fails while it is added again does not keep its job waiting, nor after a worker died then', async () => {
    const app = await queues.start({});
    const queue = app.queue();
    const worker = new Worker(queue.name, null, queue.opts);
    onTestFinished(() => worker.close());
    const take = async (token: string) => (await worker.getNextJob(token, { block: false })) as Job;
    await queue.add('parted', {});
    const job = await take('of the job');
    const parts = new PartJobs({ job, queue, life: 0, lock: HELD, restarted: 0, areAdded: false }, ['a']);
    await parts.add({ retriesFailed: false });
    const part = await take('of the part');
    const isHeld = async () => {
      const dependencies = await job.getDependenciesCount();
      return dependencies.unprocessed !== 0;
    };
    expect(await isHeld()).toBe(true);

    const addBulk = queue.addBulk.bind(queue);
    queue.addBulk = async (jobs) => {
      await part.moveToFailed(new Error('bad'), 'of the part');
      return addBulk(jobs);
    };
    await parts.add({ retriesFailed: false });
    expect([await part.getState(), await isHeld()]).toEqual(['failed', false]);

    await addBulk([
      { name: 'parted', data: {}, opts: { jobId: part.id as string, parent: part.opts.parent as never } },
    ]);
    expect(await isHeld()).toBe(true); // a worker that died here has left this
    await parts.add({ retriesFailed: false });
    expect([await isHeld(), await parts.results()]).toMatchObject([false, { pending: 0, failed: [{ reason: 'bad' }] }]);
    expect(await job.moveToWaitingChildren('of the job')).toBe(false);
  });

  it('R20: a worker that thaws when the parts have ended and were removed adds none of them again', async () => {
    const app = await queues.start({});
    const queue = app.queue();
    const job = (await queue.add('parted', {})) as Job;
    const lock = {
      assertHeld: () => {
        throw new LockLostError();
      },
    };
    const parts = new PartJobs({ job, queue, life: 0, lock, restarted: 0, areAdded: false }, ['a', 'b']);
    await expect(parts.add({ retriesFailed: false })).rejects.toThrow(LockLostError);
    expect(await queue.getJobCountByTypes('waiting', 'prioritized')).toBe(1);
  });
});
