import { Job, UnrecoverableError, type Worker } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import type { CheckpointStore } from '../../lib/checkpoint/checkpoint.store.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.store.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.store.redis.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { endLocks } from '../support/dead-locks.js';
import { partedProcessor } from '../support/parted.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

describeQueues('adding the parts of a job', BACKENDS, (queues) => {
  const workers = recordWorkers();
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('R27: a part that fails while its job looks for its parts again is not waited for', async () => {
    const held = new Gate();
    const { type } = partedProcessor(
      {
        each: async (letter) => {
          await held.wait();
          if (letter === 'd') throw new UnrecoverableError('bad d');
          if (letter === 'f') await until('the job waits for its parts again', () => job.isWaitingChildren());
        },
      },
      { partFailure: 'continue' },
    );
    const app = await queues.start({ processors: [type] });
    const queue = app.queue();
    const { addBulk } = queue;
    const adds = vi.spyOn(queue, 'addBulk').mockImplementation(async (jobs) => {
      if (adds.mock.calls.length === 1) {
        await addBulk.call(queue, jobs);
        await until('both parts run', async () => (await queue.getActiveCount()) === 3);
        throw new Error('the process ends here'); // so that the job is tried again
      }
      held.open();
      const id = jobs[0]?.opts?.jobId as string;
      await until('the part has failed', async () => (await queue.getJobState(id)) === 'failed');
      return addBulk.call(queue, jobs);
    });
    const job: Job = await queue.add('parted', { parts: ['d', 'f'] }, { attempts: 2 });
    const { returnvalue } = await app.settled(job);
    expect(adds).toHaveBeenCalledTimes(2);
    expect(returnvalue).toEqual({ processed: 1, skipped: 0, failedParts: [expect.stringMatching(/-part-0$/)] });
  });

  it('R27: a part that was removed when it had completed is counted, and not run again', async () => {
    const held = new Gate();
    const { type, story } = partedProcessor({
      each: async (letter) => {
        if (letter === 'd') await held.wait();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'd'] });
    const removed = await until('the first part has completed', async () => (await app.queue().getCompleted())[0]);
    await until('the job waits for the other', () => job.isWaitingChildren());
    await removed.remove();
    held.open();
    const { returnvalue } = await app.settled(job);
    expect(returnvalue).toEqual({ processed: 4, skipped: 0 });
    expect(story.slice(1, -1).sort()).toEqual([...'abcd']);
  });

  it('R27: a part of which nobody knows whether it completed is not run again, but by a retry of the job', async () => {
    const held = new Gate();
    const { type, story } = partedProcessor({
      each: async (letter) => {
        if (letter === 'd') await held.wait();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'd'] });
    const removed = await until('the first part has completed', async () => (await app.queue().getCompleted())[0]);
    await until('the job waits for the other', () => job.isWaitingChildren());
    vi.spyOn(Job.prototype, 'getChildrenValues').mockResolvedValue({}); // as on PostgreSQL, once the part is removed
    await removed.remove();
    held.open();
    const { failedReason } = await app.settled(job);
    expect(failedReason).toContain('it was removed from the queue before its job knew how it ended');
    expect(story.slice(1, -1).sort()).toEqual([...'abcd']);
    await app.iterations.redrive(job);
    const { returnvalue } = await app.settled(job, ['completed']);
    expect(returnvalue).toEqual({ processed: 4, skipped: 0 });
  });

  it('R20, R27: a worker that has lost the lock of a job adds none of its parts', async () => {
    const { type, story } = partedProcessor({}, { worker: { concurrency: 1 } }); // the frozen worker is busy
    const options = {
      processors: [type],
      iteration: { worker: { lockDuration: 60_000, lockRenewTime: 200, stalledInterval: 100 } },
    };
    const frozen = await queues.start(options);
    const [zombie] = workers as [Worker];
    const [looked, thawed] = [new Gate(), new Gate()];
    const { getChildrenValues } = Job.prototype;
    vi.spyOn(Job.prototype, 'getChildrenValues').mockImplementationOnce(async function (this: Job) {
      const values = await getChildrenValues.call(this);
      looked.open();
      await thawed.wait();
      return values;
    });
    const job = await frozen.iterations.enqueue(type, { parts: ['abc', 'de'] });
    await looked.wait();
    await zombie.pause(true);
    await endLocks(queues);
    const other = await queues.start(options);
    const { returnvalue } = await other.settled(job);
    expect(returnvalue).toEqual({ processed: 5, skipped: 0 });
    const failed = () => queues.logs.some((line) => line.includes('could not renew lock'));
    await until('the frozen worker knows that it has lost the lock', failed);
    thawed.open();
    await frozen.close();
    expect(await other.queue().getJobCounts('completed', 'waiting', 'active')).toMatchObject({
      completed: 1,
      waiting: 0,
      active: 0,
    });
    expect(story.filter((letter) => letter.length === 1).sort()).toEqual([...'abcde']);
  });

  it('R27: parts that a worker adds when their job is complete handle nothing', async () => {
    const { type, story } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const queue = app.queue();
    const adds = vi.spyOn(queue, 'addBulk');
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'de'] });
    await app.settled(job);
    const before = [...story];
    await until('its parts are removed', async () => (await queue.getCompletedCount()) === 1);
    const [late = []] = adds.mock.calls[0] ?? [];
    await queue.pause();
    const added = await queue.addBulk(late);
    await app.iterations.pause({ queue: 'jobs', id: added[0]?.id as string });
    await queue.resume();
    const reasons = await Promise.all(added.map(async (part) => (await app.settled(part)).failedReason));
    const reason = 'The job was cancelled: its job has ended without it';
    expect([reasons, story]).toEqual([[reason, reason], before]);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'completed', processed: 5 });
  });

  it('R27: a part of an earlier life of its job handles nothing, nor one whose job is gone', async () => {
    const { type, story } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const queue = app.queue();
    const adds = vi.spyOn(queue, 'addBulk');
    const job = await app.iterations.enqueue(type, { parts: ['abc'] });
    await app.settled(job);
    const [late = []] = adds.mock.calls[0] ?? [];
    const held = new Gate();
    adds.mockImplementationOnce(async () => {
      held.open();
      throw new Error('the second life adds no part');
    });
    const before = story.filter((word) => word.length === 1);
    await job.retry('completed');
    await held.wait();
    await app.settled(job, ['failed']);
    const addedLate = async () => {
      const [added] = await queue.addBulk(
        late.map(({ opts, ...part }) => ({ ...part, opts: { ...opts, parent: undefined } })),
      );
      const { failedReason } = await app.settled(added as Job);
      await added?.remove();
      return failedReason;
    };
    const ended = await addedLate();
    await job.remove();
    expect([ended, await addedLate()]).toEqual(Array(2).fill('The job was cancelled: its job has ended without it'));
    expect(story.filter((word) => word.length === 1)).toEqual(before);
  });

  it('R21, R27: outages at every step of a job in parts are no failure of it', async () => {
    const { type, story, splits } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    const store: Pick<CheckpointStore, 'parts' | 'saveParts'> =
      queues.backend === 'redis' ? RedisCheckpointStore.prototype : PostgresCheckpointStore.prototype;
    const outage = () => new Error('Connection is closed.');
    const spies = [
      vi.spyOn(store, 'parts').mockRejectedValueOnce(outage()),
      vi.spyOn(store, 'saveParts').mockRejectedValueOnce(outage()),
      vi.spyOn(app.queue(), 'addBulk').mockRejectedValueOnce(outage()),
      vi.spyOn(app.queue(), 'remove').mockRejectedValueOnce(outage()),
    ];
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab', 'c'] }));
    expect([job.failedReason, job.returnvalue]).toEqual([undefined, { processed: 3, skipped: 0 }]);
    for (const spy of spies) expect(spy.mock.calls.length).toBeGreaterThan(1);
    expect([splits(), story.filter((event) => event.startsWith('complete'))]).toEqual([1, ['complete 3']]);
    expect(await app.queue().getJobCounts('completed')).toEqual({ completed: 1 });
  });

  it('R7, R27: completed parts that cannot be removed keep no job from completing', async () => {
    const { type, story } = partedProcessor();
    const app = await queues.start({ processors: [type] });
    vi.spyOn(app.queue(), 'remove').mockRejectedValue(new Error('not now'));
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab', 'c'] }));
    expect([job.failedReason, job.returnvalue]).toEqual([undefined, { processed: 3, skipped: 0 }]);
    expect(story.at(-1)).toBe('complete 3');
    expect(queues.logs.filter((line) => line.includes('its completed parts could not be removed'))).toHaveLength(1);
  });
});
