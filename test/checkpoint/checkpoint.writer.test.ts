import { expect, it } from 'vitest';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { RunCheckpoint } from '../../lib/checkpoint/checkpoint.writer.js';
import { Position } from '../../lib/checkpoint/progress.js';
import { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import type { RunParts } from '../../lib/runtime/run.js';
import { AT_THE_BEGINNING } from '../support/loop.js';
import { Gate } from '../support/until.js';

/** A run's checkpoint over a store whose saves wait at gates. */
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
  const lock = new Lock('token', Date.now(), 600_000, interruption);
  const position = new Position(AT_THE_BEGINNING);
  const parts = { clock: Date, interruption, job: {}, lock, store } as unknown as RunParts;
  const restored = { ...AT_THE_BEGINNING, runtimeMs: 0 } as Checkpoint;
  return { checkpoint: new RunCheckpoint(parts, restored, position, { state: null }), interruption, position, saved };
}

it('R26: checkpoints that are asked for at the same time are saved one after the other', async () => {
  const gates = [new Gate(), new Gate()];
  const { checkpoint, position, saved } = gated(gates);
  position.passTo(1);
  const first = checkpoint.save('items');
  position.passTo(2);
  const second = checkpoint.save('items');
  await gates[0]?.reached;
  await new Promise(setImmediate);
  expect(saved).toEqual([1]);
  for (const gate of gates) gate.open();
  await Promise.all([first, second]);
  expect(saved).toEqual([1, 2]);
});

it('R15: the last checkpoint of an abandoned run does not wait for one that is never answered', async () => {
  const gates = [new Gate()];
  const { checkpoint, interruption, position, saved } = gated(gates);
  position.passTo(1);
  void checkpoint.save('items');
  await gates[0]?.reached;
  interruption.abandon();
  await interruption.abandoned;
  position.passTo(2);
  expect(await checkpoint.saveLast({})).toBe(true);
  expect(saved).toEqual([1, 2]);
});
