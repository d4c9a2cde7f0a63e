import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { endOfLeftOver } from '../../lib/parts/index.js';
import { partOptions } from '../../lib/parts/part.option.js';

const PART = { index: 0, value: 'abc', of: 'whole', addedAt: 1, life: 2, restarted: 0 };

function part(progress: object = {}): Job {
  return { id: 'part-0', opts: partOptions(PART), progress } as unknown as Job;
}

/** A queue with the whole, whose checkpoint is this one. */
function queueWith(progress: object) {
  const whole = { timestamp: 1, progress: { iteration: 1, life: 2, ...progress } } as unknown as Job;
  return { getJob: async () => whole };
}

it('R27: a part that failed before its first checkpoint may be retried, though its job has settled', async () => {
  const queue = queueWith({ settled: { failedParts: ['part-0'] } });
  expect(await endOfLeftOver(part(), queue)).toBeUndefined();
});

it('R27: a part of a job that waits for it has its first run', async () => {
  expect(await endOfLeftOver(part(), queueWith({}))).toBeUndefined();
});

it('R27: a part that has run may be retried by hand, whatever has become of its job', async () => {
  expect(await endOfLeftOver(part({ iteration: 1, run: 1 }), { getJob: async () => undefined })).toBeUndefined();
});

it('R27: a part whose job has settled without it is cancelled', async () => {
  expect(await endOfLeftOver(part(), queueWith({ settled: { failedParts: ['part-1'] } }))).toMatchObject({
    type: 'cancel',
    ofWhole: true,
  });
});
