import { expect, it } from 'vitest';
import type { IterationStatus } from '../../lib/control/index.js';
import { sumOf } from '../../lib/control/part.sum.js';

it('R29: the stalls of a job in parts are its own and those of its parts', () => {
  const status = (stalls: number) => ({ state: 'running', stalls, processed: 0, skipped: 0 }) as IterationStatus;
  expect(sumOf(status(1), [status(2), undefined, status(3)]).stalls).toBe(6);
});
