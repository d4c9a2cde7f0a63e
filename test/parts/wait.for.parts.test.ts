import { type Job, Worker } from 'bullmq';
import { expect, it, onTestFinished } from 'vitest';
import { moveToWaitForParts } from '../../lib/run/wait.for.parts.js';
import { BACKENDS, describeQueues } from '../support/app.js';

describeQueues('a job that waits for its parts', BACKENDS, (queues) => {
  async function taken() {
    const queue = (await queues.start({})).queue();
    const worker = new Worker(queue.name, null, queue.opts);
    onTestFinished(() => worker.close());
    const added = await queue.add('parted', {});
    const job = (await worker.getNextJob('token', { block: false })) as Job;
    return { added, job, queue, lock: { token: 'token' } as never };
  }

  it('R27: holds no worker while one of its parts has not ended', async () => {
    const { added, job, lock, queue } = await taken();
    await queue.add('parted', {}, { parent: { id: job.id as string, queue: queue.qualifiedName } });
    await moveToWaitForParts({ job, lock });
    expect(await added.getState()).toBe('waiting-children');
  });

  it('R27: looks again after a pause when BullMQ knows of none, so that it neither waits forever nor loops', async () => {
    const { added, job, lock, queue } = await taken();
    await moveToWaitForParts({ job, lock });
    expect(await added.getState()).toBe('delayed');
    expect(((await queue.getJob(added.id as string)) as Job).delay).toBeGreaterThan(200);
  });
});
