import { Queue, QueueEvents, Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { checkpointStoreOf } from '../../lib/checkpoint/checkpoint.store.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { until } from '../support/until.js';

describeQueues('the checkpoint store', BACKENDS, (queues) => {
  it('R20: a save checks the lock token and writes in one step; without the lock it writes nothing', async () => {
    const queue = new Queue('jobs', queues.place as never);
    const worker = new Worker('jobs', null, { ...queues.place, autorun: false } as never);
    const store = checkpointStoreOf(worker);
    const { id = '' } = await queue.add('any', {});
    const job = await until('the job is taken', async () => worker.getNextJob('mine'));

    expect(await store.save(job, 'mine', { cursor: 1 })).toBe(true);
    expect(await store.save(job, 'another', { cursor: 2 })).toBe(false);
    expect(await store.save({ id: 'no such job' }, 'mine', { cursor: 2 })).toBe(false);
    expect((await queue.getJob(id))?.progress).toEqual({ cursor: 1 });

    await job.moveToWait('mine');
    expect(await store.save(job, 'mine', { cursor: 3 })).toBe(false);
    expect((await queue.getJob(id))?.progress).toEqual({ cursor: 1 });
    await worker.close();
    await queue.close();
  });

  it('a save emits the progress event of BullMQ', async () => {
    const events = new QueueEvents('jobs', queues.place as never);
    await events.waitUntilReady();
    const received: unknown[] = [];
    events.on('progress', ({ jobId, data }) => received.push([jobId, data]));
    const queue = new Queue('jobs', queues.place as never);
    const worker = new Worker('jobs', null, { ...queues.place, autorun: false } as never);
    await queue.add('any', {}, { jobId: 'watched' });
    const job = await until('the job is taken', async () => worker.getNextJob('mine'));
    await checkpointStoreOf(worker).save(job, 'mine', { progress: 7, cursor: 'c' });
    await until('the event arrives', () => received.length > 0);
    expect(received).toEqual([['watched', { progress: 7, cursor: 'c' }]]);
    await Promise.all([events.close(), worker.close(), queue.close()]);
  });
});
