import type { Worker } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { ProgressTracker } from '../../lib/checkpoint/progress.js';
import { timesEnumerator } from '../../lib/enumerators/array.enumerator.js';
import { readerOf } from '../../lib/enumerators/contract/index.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { LockLostError } from '../../lib/interruption/lock.js';
import { resolveRunOptions } from '../../lib/iteration.options.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { AT_THE_BEGINNING, itemLoop } from '../support/loop.js';
import { processorTime } from '../support/processor-time.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { NEVER_RENEWS, recordWorkers } from '../support/workers.js';

describeQueues('the event loop and the lock', BACKENDS, (queues) => {
  const workers = recordWorkers();

  it('R13: a synchronous handler over an in-memory source lets timers run and its lock be renewed', async () => {
    let renewals = 0;
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const lockDuration = 400;
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.times(1e9, { cursor }),
      each: (_item, context) => {
        if (renewals >= 10) context.stop();
      },
    });
    const app = await queues.start({ processors: [type], iteration: { worker: { lockDuration } } });
    workers[0]?.on('locksRenewed', () => renewals++);
    const began = Date.now();
    const spent = processorTime();
    const job = await app.settled(await app.queue().add('story', {}));
    clearInterval(timer);

    expect(await job.getState()).toBe('completed');
    expect(Date.now() - began).toBeGreaterThan(lockDuration);
    expect(ticks).toBeGreaterThan(spent() / 50);
  });

  it('R13: a synchronous handler stops within 100 ms of processor time at a shutdown', async () => {
    const began = new Gate();
    let spent: (() => number) | undefined;
    let lastItemMs = 0;
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.times(1e9, { cursor }),
      each: () => {
        began.open();
        if (spent) lastItemMs = spent();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await began.wait();
    await app.settled(job, ['active']);
    spent = processorTime();
    await app.close();
    expect(lastItemMs).toBeLessThan(100);
    const reader = await queues.start({ iteration: { workers: false } });
    const { cursor, processed } = await reader.iterations.status(job);
    expect(processed).toBe((cursor as number) + 1);
  });

  it('R13: an async handler that never waits does not starve the event loop', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.times(1e9, { cursor }),
      each: async (_item, context) => {
        if (ticks > 10) context.stop();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    clearInterval(timer);
    expect(await job.getState()).toBe('completed');
  });

  it('R18: a running job saves its cursor by time and by count', async () => {
    for (const checkpoint of [{ everyMs: 20 }, { everyItems: 2, everyMs: 60_000 }]) {
      const hold = new Hold('d');
      const { type } = storyProcessor({
        each: async (letter, context) => {
          await hold.each(letter, context);
          if ('everyItems' in checkpoint) return;
          const before = Date.now();
          await until('time has passed', () => Date.now() - before > 25);
        },
      });
      const app = await queues.start({ processors: [type], iteration: { checkpoint } });
      const job = await app.queue().add('story', { letters: 'abcdef' });
      await hold.reached;
      const { cursor, processed, state } = await app.iterations.status(job);
      expect(state).toBe('running');
      if ('everyItems' in checkpoint) expect([cursor, processed]).toEqual([1, 2]);
      else expect(cursor).toBeGreaterThanOrEqual(1);
      await app.close();
      await queues.closeApps();
      queues.move();
    }
  });

  it.each([
    ['expired', true],
    ['renewal failed', false],
  ])('R20: a worker with a lost lock (%s) starts no item, moves no checkpoint and ends no job', async (_, runsOut) => {
    const [reached, release] = [new Gate(), new Gate()];
    const first = storyProcessor({
      each: async (letter) => {
        if (letter !== 'b') return;
        void reached.wait();
        await release.wait();
      },
    });
    const second = storyProcessor();
    // long enough that the item is reached before the lock expires
    const worker = { lockDuration: 2_400, ...(runsOut && { name: NEVER_RENEWS }), skipStalledCheck: true };
    const zombie = await queues.start({ processors: [first.type], iteration: { worker } });
    const job = await zombie.queue().add('story', { letters: 'abcde' });
    await reached.reached;
    const token = tokenOf(workers[0] as Worker, job.id as string);
    const rescuer = await queues.start({
      processors: [second.type],
      iteration: { worker: { stalledInterval: 100 } },
    });
    await until('the second worker has the job', async () => {
      if (!runsOut) await job.extendLock(token, 1);
      return second.story.length > 0;
    });
    if (!runsOut)
      await until('BullMQ logs the loss', () => queues.logs.some((line) => line.includes('could not renew lock')));
    await rescuer.settled(job);
    const saved = await rescuer.iterations.status(job);
    release.open();
    await until('the first run has ended', () => queues.logs.some((line) => line.includes('lost its lock')));

    expect(first.story).toEqual(['start', 'a', 'b']);
    expect(second.story).toEqual(['resume', 'a', 'b', 'c', 'd', 'e', 'complete', 'end complete']);
    expect(await rescuer.iterations.status(job)).toEqual(saved);
    expect(saved).toMatchObject({ state: 'completed', processed: 5, cursor: 4, run: 2 });
  });

  it('R20: a synchronous handler whose lock is lost starts at most 64 further items', async () => {
    let after = 0;
    const lockDuration = 1_500; // a shorter lock may expire before a busy backend has confirmed it
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.times(1e9, { cursor }),
      each: (_item, { job }) => {
        if (Date.now() > (job.processedOn as number) + lockDuration) after++;
      },
    });
    const worker = { lockDuration, name: NEVER_RENEWS, skipStalledCheck: true };
    const app = await queues.start({ processors: [type], iteration: { worker } });
    await app.queue().add('story', {});
    await until('the run has ended', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(after).toBeLessThanOrEqual(64);
  });
});

it.each([
  { when: 'it saves its checkpoint', careful: false, at: 'items' },
  { when: 'it marks its item as being handled', careful: true, at: 'careful item' },
])('R20: a run that freezes while $when starts no further item', async ({ careful, at }) => {
  let offsetMs = 0;
  let handled = 0;
  const interruption = new InterruptionRequest();
  const loop = itemLoop({
    reader: readerOf(timesEnumerator(1_000, { cursor: null })),
    handle: async () => {
      handled++;
      await new Promise(setImmediate);
    },
    progress: new ProgressTracker(AT_THE_BEGINNING),
    interruption,
    clock: { now: () => Date.now() + offsetMs },
    options: resolveRunOptions({}, { checkpoint: { everyMs: 1 } }),
    careful,
    save: async (running) => {
      if (running !== at) return;
      offsetMs = 36_000_000;
      handled = 0;
    },
  });
  await expect(loop.run()).rejects.toThrow(LockLostError);
  expect(interruption.pending).toEqual({ reason: 'lockLost' });
  expect(handled).toBe(0);
});

describe('slow items after thousands of fast items', () => {
  /** How many slow items were handled at each checkpoint. Each takes longer than the checkpoint interval. */
  const savesBetween = async (count: number, handleSlow: () => unknown) => {
    const quick = 10_000;
    let now = Date.now();
    let handled = 0;
    const handledAtSaves: number[] = [];
    const loop = itemLoop({
      reader: readerOf(timesEnumerator(quick + count, { cursor: null })),
      handle: (item) => {
        if ((item as number) < quick) return;
        now += 6_000;
        handled++;
        return handleSlow();
      },
      progress: new ProgressTracker(AT_THE_BEGINNING),
      interruption: new InterruptionRequest(),
      clock: { now: () => now },
      options: resolveRunOptions({}, { checkpoint: { everyMs: 5_000 } }),
      save: async () => void handledAtSaves.push(handled),
    });
    expect(await loop.run()).toEqual({ type: 'complete' });
    return handledAtSaves;
  };
  const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

  it('R18, R20: a run reads the clock before every item that follows a slow asynchronous item', async () => {
    expect(await savesBetween(20, () => new Promise(setImmediate))).toEqual(upTo(19));
  });

  it('R18, R20: a run reads the clock before every slow synchronous item after at most 16 of them', async () => {
    const [first = 0, ...next] = await savesBetween(40, () => {});
    expect(first).toBeLessThanOrEqual(16);
    expect(next).toEqual(upTo(39, first + 1));
  });
});

describe('a clock that is set back', () => {
  it('R13, R18: a clock that is set back does not stop the event loop, checkpoints or maxRuntimeMs', async () => {
    const clock = { now: () => Date.now() + offsetMs };
    let offsetMs = 3_600_000;
    let saves = 0;
    let handled = 0;
    const interruption = new InterruptionRequest();
    const loop = itemLoop({
      reader: readerOf(timesEnumerator(1e12, { cursor: null })),
      handle: () => {
        if (++handled === 10_000) offsetMs = 0;
      },
      progress: new ProgressTracker(AT_THE_BEGINNING),
      interruption,
      clock,
      options: resolveRunOptions({}, { maxRuntimeMs: 500, checkpoint: { everyMs: 20 } }),
      stopped: () => handled > 5e8, // ends the test if the clock does not
      save: async () => void saves++,
    });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const spent = processorTime();
    expect(await loop.run()).toEqual({ type: 'interrupted', interruption: { reason: 'maxRuntime' } });
    clearInterval(timer);
    expect(spent()).toBeLessThan(5_000);
    expect(saves).toBeGreaterThan(1);
    expect(ticks).toBeGreaterThan(1);
  });
});

function tokenOf(worker: Worker, id: string): string {
  const { trackedJobs } = (worker as unknown as { lockManager: { trackedJobs: Map<string, { token: string }> } })
    .lockManager;
  return (trackedJobs.get(id) as { token: string }).token;
}
