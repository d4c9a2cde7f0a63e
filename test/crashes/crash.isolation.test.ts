import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { restoreCheckpoint } from '../../lib/checkpoint/restore.checkpoint.js';
import { Quarantine } from '../../lib/crashes/quarantine.js';

const SAVED: Checkpoint = {
  iteration: 1,
  progress: 0,
  cursor: 7,
  processed: 8,
  skipped: 0,
  passed: 8,
  version: null,
  started: true,
  life: 0,
  run: 4,
  interruptions: 0,
  failures: 0,
  runtimeMs: 0,
};

/** The crash state (R19) that the next run begins with. */
function restored(saved: Partial<Checkpoint>, job: Partial<Job> = {}) {
  const progress = { ...SAVED, ...saved };
  const { checkpoint, careful = false } = restoreCheckpoint({
    progress,
    attemptsMade: 0,
    stalledCounter: 0,
    ...job,
  } as Job);
  return { careful, crashes: checkpoint.crashes, running: checkpoint.running };
}

it.each<[string, Partial<Checkpoint>, ReturnType<typeof restored>]>([
  ['reported its outcome', {}, { careful: false, crashes: undefined, running: undefined }],
  ['died outside careful mode', { running: 'items' }, { careful: true, crashes: undefined, running: 'careful' }],
  ['died between two items', { running: 'careful' }, { careful: true, crashes: undefined, running: 'careful' }],
  ['died in an item', { running: 'careful item' }, { careful: true, crashes: [4], running: 'careful' }],
  [
    'died in an item, as a run before it did',
    { running: 'careful item', crashes: [2] },
    { careful: true, crashes: [2, 4], running: 'careful' },
  ],
  [
    'died in its build, after one in an item',
    { running: 'careful', crashes: [2] },
    { careful: true, crashes: [2], running: 'careful' },
  ],
  [
    'reported its outcome, after a death in this item',
    { crashes: [2] },
    { careful: true, crashes: [2], running: 'careful' },
  ],
])('R19: a run restores the crash state after one that %s', (_, saved, expected) => {
  expect(restored(saved)).toEqual(expected);
});

it('R19: a crash counts once when a checkpoint is restored twice without a save', () => {
  const saved = { running: 'careful item', crashes: [4] } as const;
  expect(restored(saved).crashes).toEqual([4]);
});

it.each<[string, Partial<Checkpoint> | undefined, Partial<Job>, { careful: boolean; run: number }]>([
  ['the first run died', undefined, { stalledCounter: 1 }, { careful: true, run: 1 }],
  ['the first two runs died', undefined, { stalledCounter: 2 }, { careful: true, run: 2 }],
  ['no run died', undefined, { stalledCounter: 0 }, { careful: false, run: 0 }],
  ['a later run died', { stalls: 2 }, { stalledCounter: 3 }, { careful: true, run: 5 }],
  [
    'a run died after its first checkpoint',
    { stalls: 2, running: 'items' },
    { stalledCounter: 3 },
    { careful: true, run: 4 },
  ],
  [
    'a run died, then one before its first',
    { stalls: 2, running: 'items' },
    { stalledCounter: 4 },
    { careful: true, run: 5 },
  ],
  ['no later run died', { stalls: 2 }, { stalledCounter: 2 }, { careful: false, run: 4 }],
  ['an earlier release wrote the checkpoint', {}, { stalledCounter: 3 }, { careful: false, run: 4 }],
])("R19: BullMQ's stalls reveal runs without a checkpoint: %s", (_, saved, job, expected) => {
  const progress = saved ? { ...SAVED, ...saved } : 0;
  const { careful = false, checkpoint } = restoreCheckpoint({ progress, attemptsMade: 0, opts: {}, ...job } as Job);
  expect({ careful, run: checkpoint.run }).toEqual(expected);
});

it('R19: a failed job retried by hand has a fresh budget, unless BullMQ never got its failure', () => {
  const ended = { outcome: 'fail', attempts: 0, stalls: 2, traces: 0 } as const;
  const saved = { ended, crashes: [1, 2, 3] };
  expect(restored(saved, { attemptsMade: 1, stalledCounter: 2 }).crashes).toBeUndefined();
  expect(restored(saved, { attemptsMade: 0, stalledCounter: 3 }).crashes).toEqual([1, 2, 3]);
});

it('R19: the suspects of a process run one at a time, the one with the fewest crashes first', async () => {
  const quarantine = new Quarantine();
  const never = new Promise<void>(() => {});
  const order: string[] = [];
  const ask = async (name: string, crashes: number) => {
    const end = await quarantine.turn(crashes, never);
    order.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} ends`);
    end();
  };
  await Promise.all([ask('guilty', 2), ask('innocent', 1), ask('another', 1)]);
  expect(order).toEqual([
    'innocent begins',
    'innocent ends',
    'another begins',
    'another ends',
    'guilty begins',
    'guilty ends',
  ]);
});

it('R19: a suspect waits a second before its item, unless its run is interrupted', async () => {
  const quarantine = new Quarantine();
  const begin = performance.now();
  const end = await quarantine.turn(1, new Promise(() => {}));
  expect(performance.now() - begin).toBeGreaterThan(990);
  const interrupted = await quarantine.turn(0, Promise.resolve());
  interrupted();
  end();
  end();
  (await quarantine.turn(1, new Promise(() => {})))();
});
