import { expect, it } from 'vitest';
import type { ProcessorDefinition } from '../../lib/definition/index.js';
import { LockLostError } from '../../lib/interruption/index.js';
import { partsOf } from '../../lib/parts/index.js';

it('R21, R27: while the backend is away, the parts of a job are read and saved later, and are made once', async () => {
  let made = 0;
  const definition = {
    partition: () => [`part ${++made}`],
    partitionsName: 'Job.split',
  } as unknown as ProcessorDefinition;
  const tries: string[] = [];
  const once = <T>(name: string, answer: T) => {
    tries.push(name);
    if (tries.filter((other) => other === name).length === 1) throw new Error('Connection is closed.');
    return answer;
  };
  const run = {
    definition,
    job: { id: '1', timestamp: 1 } as never,
    lock: { token: 'token', assertHeld: () => {} } as never,
    queue: { remove: async () => once('remove', 1) },
    store: {
      parts: async () => once('parts', JSON.stringify({ life: 0, values: ['old'] })),
      saveParts: async () => once('saveParts', true),
    },
  };
  expect(await partsOf(run, { context: {} as never, life: 1, makes: true })).toEqual(['part 1']);
  expect(tries).toEqual(['parts', 'parts', 'remove', 'remove', 'saveParts', 'saveParts']);
});

it('R20: a worker that thaws with the answer that a job has no parts makes none', async () => {
  let made = 0;
  const definition = { partition: () => [`part ${++made}`], partitionsName: 'Job.split' };
  let isHeld = true;
  const run = {
    definition: definition as unknown as ProcessorDefinition,
    job: { id: '1', timestamp: 1 } as never,
    lock: {
      token: 'token',
      assertHeld: () => {
        if (!isHeld) throw new LockLostError();
      },
    } as never,
    queue: { remove: async () => 1 },
    store: {
      parts: async () => {
        isHeld = false;
        return undefined;
      },
      saveParts: async () => true,
    },
  };
  const parts = partsOf(run, { context: {} as never, life: 0, makes: true });
  await expect(parts).rejects.toThrow(LockLostError);
  expect(made).toBe(0);
});
