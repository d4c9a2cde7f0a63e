import { expect, it } from 'vitest';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { CheckpointWriter } from '../../lib/checkpoint/checkpoint.writer.js';
import { ProgressTracker } from '../../lib/checkpoint/progress.js';
import { RunTimes } from '../../lib/checkpoint/time.split.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import { Gate } from '../../lib/testing/gate.js';
import { AT_THE_BEGINNING } from '../support/loop.js';

/** The checkpoint writer of a run, over a store whose saves wait at gates. */
function gated(gates: readonly Gate[]) {
  const saved: unknown[] = [];
  const store = {
    async save(_job: unknown, _token: unknown, { cursor }: Checkpoint) {
      const gate = gates[saved.push(cursor) - 1];
      await gate?.wait();
      return true;
    },
  };
  const interruption = new InterruptionRequest();
  const lock = new Lock('token', { acquiredAt: Date.now(), durationMs: 600_000, interruption, clock: Date });
  const progress = new ProgressTracker(AT_THE_BEGINNING);
  const times = new RunTimes(Date, {});
  const run = {
    clock: Date,
    context: { state: null },
    events: { publish: () => {} },
    interruption,
    job: {},
    lastCheckpoint: { at: Date.now() },
    lock,
    log: console,
    progress,
    rate: { nextItemAt: undefined },
    settings: { inForce: { itemConcurrency: 1 } },
    store,
    times,
  };
  const restored = { ...AT_THE_BEGINNING.saved, runtimeMs: 0 } as unknown as Checkpoint;
  const checkpoint = new CheckpointWriter(
    run as unknown as ConstructorParameters<typeof CheckpointWriter>[0],
    restored,
  );
  return { checkpoint, interruption, progress, saved };
}

it('R26: checkpoints requested at the same time are saved one after another', async () => {
  const gates = [new Gate(), new Gate()];
  const { checkpoint, progress, saved } = gated(gates);
  progress.moveTo(1);
  const first = checkpoint.flush('items');
  progress.moveTo(2);
  const second = checkpoint.flush('items');
  await gates[0]?.reached;
  await new Promise(setImmediate);
  expect(saved).toEqual([1]);
  for (const gate of gates) gate.open();
  await Promise.all([first, second]);
  expect(saved).toEqual([1, 2]);
});

it('R15: the final checkpoint of an abandoned run does not wait for a save that never returns', async () => {
  const gates = [new Gate()];
  const { checkpoint, interruption, progress, saved } = gated(gates);
  progress.moveTo(1);
  void checkpoint.flush('items');
  await gates[0]?.reached;
  interruption.abandon();
  await interruption.abandoned;
  progress.moveTo(2);
  await checkpoint.flushFinal({}, { ending: { outcome: 'interrupt' } });
  expect(saved).toEqual([1, 2]);
});
