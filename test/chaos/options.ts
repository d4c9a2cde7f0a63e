import type { ChaosOptions } from './chaos.js';

type Form = Omit<ChaosOptions, 'seed' | 'durationMs' | 'backend' | 'transactions' | 'program'>;

/** Options of `npm run chaos`: the library's defaults; about 250 kills and 75 freezes in ten minutes. */
export const LONG: Form = {
  jobs: 'all',
  workers: 4,
  operators: 2,
  asksEveryMs: 1_500,
  every: { kill: 2_400, term: 6_000, freeze: 8_000, restart: 60_000 },
  freezeMs: [1_000, 12_000],
  outageMs: [100, 3_000],
  iteration: { worker: { concurrency: 3 } },
  graceMs: 300_000,
};

/** Options of CI: every disturbance within seconds, with shorter locks. */
export const SHORT: Form = {
  jobs: 'all',
  workers: 3,
  operators: 2,
  asksEveryMs: 700,
  every: { kill: 1_800, term: 5_000, freeze: 3_000, restart: 9_000 },
  freezeMs: [300, 4_000],
  outageMs: [100, 1_000],
  largest: 800,
  leastJobs: 16,
  // On a slow machine an item may take as long as a worker lives here: three kills in one item do not prove it guilty.
  iteration: { crashes: { limit: 20 }, worker: { concurrency: 3, lockDuration: 2_000, stalledInterval: 500 } },
  graceMs: 300_000,
};
