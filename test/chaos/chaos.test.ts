import { describe, expect, it } from 'vitest';
import { hasRedisServer } from '../support/redis-server.js';
import { runChaos } from './chaos.js';
import { SHORT } from './options.js';

const program = new URL('../processes/dist/test/chaos/worker.js', import.meta.url);

const CI = { ...SHORT, durationMs: 15_000, backend: 'redis', program } as const;

describe.runIf(hasRedisServer())('workers that are killed, frozen, terminated and cut off from Redis', () => {
  it.concurrent('R1, R11, R18, R20, R27, R28: disturbed workers lose no record, repeat no more than allowed, and do as operators ask', async () => {
    const { breaches, figures } = await runChaos({ ...CI, seed: 4, transactions: 'none' });
    expect(breaches).toEqual([]);
    const count = (...names: string[]) => names.reduce((sum, name) => sum + Number(figures[name]), 0);
    const ended = count('jobs complete', 'jobs cancelled', 'jobs failed');
    expect(ended).toBe(count('jobs added', 'jobs restarted'));
    expect(figures['jobs in parts']).toBeGreaterThanOrEqual(3);
    expect(figures['parts that ran']).toBeGreaterThanOrEqual(10);
    expect(figures['requests of operators']).toBeGreaterThanOrEqual(10);
    expect(figures['SIGKILLs of workers']).toBeGreaterThanOrEqual(8);
    expect(figures.freezes).toBeGreaterThanOrEqual(4);
    expect(figures['Redis restarts']).toBeGreaterThanOrEqual(1);
  });

  it.runIf(process.env.CI).concurrent(
    'R25: with transactions, disturbed workers write each effect exactly once',
    async () => {
      const { breaches, figures } = await runChaos({ ...CI, durationMs: 10_000, seed: 5, transactions: 'typeorm' });
      expect(breaches).toEqual([]);
      expect(figures['records repeated of jobs that promise exactly once']).toBe(0);
      expect(figures['SIGKILLs of workers']).toBeGreaterThanOrEqual(3);
    },
  );
});
