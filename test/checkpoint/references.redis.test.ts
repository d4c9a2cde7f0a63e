import { type Job, Queue, Worker } from 'bullmq';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkpointStoreOf } from '../../lib/checkpoint/checkpoint.store.js';
import type { JobReferences } from '../../lib/checkpoint/references.js';
import { describeQueues } from '../support/app.js';
import { until } from '../support/until.js';

const deduplication = { id: 'nightly', keepLastIfActive: true };

describeQueues('a job whose deduplication keeps the last trigger', ['redis'], (queues) => {
  let queue: Queue;
  let worker: Worker;
  let references: JobReferences;
  let first: Job;
  const own = () => ({ id: first.id as string, deduplicationId: deduplication.id });
  const add = (name: string) => queue.add(name, {}, { deduplication });
  const waiting = async () => (await queue.getWaiting()).map(({ name }) => name);
  const end = () => first.moveToCompleted('done', 'mine', false);

  beforeEach(async () => {
    queue = new Queue('jobs', queues.place as never);
    worker = new Worker('jobs', null, { ...queues.place, autorun: false } as never);
    references = checkpointStoreOf(worker).references;
    await add('first');
    first = await until('the job is taken', async () => worker.getNextJob('mine'));
    await add('kept');
    expect(await waiting()).toEqual([]);
  });
  afterEach(() => Promise.all([worker.close(), queue.close()]));

  it('R5: a trigger that was kept runs after the job, when the job has its key back', async () => {
    await references.releaseDeduplication(own());
    await references.reclaimDeduplication(own());
    expect(await queue.getDeduplicationJobId(deduplication.id)).toBe(first.id);
    await end();
    expect(await waiting()).toEqual(['kept']);
  });

  it('R5: a trigger that was kept is superseded by one that comes while the job is put back', async () => {
    await references.releaseDeduplication(own());
    await add('later');
    await references.reclaimDeduplication(own());
    await end();
    expect(await waiting()).toEqual(['later']);
  });

  it('R5: a release that arrives after the next run has begun loses no trigger', async () => {
    await references.reclaimDeduplication(own());
    await references.releaseDeduplication(own());
    await end();
    expect(await waiting()).toEqual(['kept']);
  });

  it('R5: a key that a user removed stays removed', async () => {
    await queue.removeDeduplicationKey(deduplication.id);
    await references.reclaimDeduplication(own());
    expect(await queue.getDeduplicationJobId(deduplication.id)).toBeNull();
  });
});
