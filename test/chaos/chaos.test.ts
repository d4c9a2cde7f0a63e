import { expect, it } from 'vitest';
import { hasRedisServer } from '../support/redis-server.js';
import { runChaos } from './chaos.js';
import { SHORT } from './options.js';

const program = new URL('../processes/dist/test/chaos/worker.js', import.meta.url);

it.runIf(hasRedisServer())(
  'R1, R11, R18, R20: workers killed, frozen, told to end and left without Redis lose nothing, and repeat no more than they may',
  async () => {
    const { breaches, figures } = await runChaos({
      ...SHORT,
      seed: 4,
      durationMs: 15_000,
      backend: 'redis',
      transactions: 'none',
      program,
    });
    console.table(figures);
    expect(breaches).toEqual([]);
    expect(figures['jobs complete']).toBe(figures['jobs added']);
    expect(figures['SIGKILLs of workers']).toBeGreaterThanOrEqual(8);
    expect(figures.freezes).toBeGreaterThanOrEqual(4);
    expect(figures['Redis restarts']).toBeGreaterThanOrEqual(1);
  },
  120_000,
);
