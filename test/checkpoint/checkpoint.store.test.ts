import { Queue, QueueEvents, Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { checkpointStoreOf } from '../../lib/checkpoint/checkpoint.store.js';
import { BOTH, describeQueues } from '../support/app.js';
import { until } from '../support/until.js';

describeQueues('the checkpoint store', BOTH, (queues) => {
  it('R20: compares the token of the lock and writes in one step; who does not hold it writes nothing', async () => {
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

  it('tells whoever listens for progress', async () => {
    const events = new QueueEvents('jobs', queues.place as never);
    await events.waitUntilReady();
    const told: unknown[] = [];
    events.on('progress', ({ jobId, data }) => told.push([jobId, data]));
    const queue = new Queue('jobs', queues.place as never);
    const worker = new Worker('jobs', null, { ...queues.place, autorun: false } as never);
    await queue.add('any', {}, { jobId: 'told' });
    const job = await until('the job is taken', async () => worker.getNextJob('mine'));
    await checkpointStoreOf(worker).save(job, 'mine', { progress: 7, cursor: 'c' });
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([['told', { progress: 7, cursor: 'c' }]]);
    await Promise.all([events.close(), worker.close(), queue.close()]);
  });
});
