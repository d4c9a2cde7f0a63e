import * as bullmq from 'bullmq';

export type Backend = 'redis' | 'postgres';

/** The backends that the installed BullMQ has: 5 has Redis alone. */
export const BACKENDS: readonly Backend[] = 'createPostgresBackend' in bullmq ? ['redis', 'postgres'] : ['redis'];

/**
 * The backends that a suite for both runs on. CI runs it on both. Elsewhere suites take turns, so that `npm test` ends in
 * minutes: `BACKENDS=redis,postgres npm test` runs each on both.
 */
export function backendsOf(suite: string, backends: readonly Backend[] = BACKENDS): readonly Backend[] {
  // Without Redis these suites are skipped; the global setup has printed a warning, and in CI it has failed.
  const reachable = backends.filter((backend) => backend !== 'redis' || process.env.REDIS_URL);
  const wanted = process.env.BACKENDS?.split(',');
  if (wanted) return reachable.filter((backend) => wanted.includes(backend));
  if (process.env.CI) return reachable;
  return reachable.length < 2 ? reachable : [reachable[turnOf(suite)] as Backend];
}

/** 0 or 1, by the name of a suite. */
function turnOf(suite: string): number {
  return [...suite].reduce((sum, letter) => sum + letter.charCodeAt(0), 1) % 2;
}

/** Sets the backend of all queues and workers that are made from now on. */
export function useBackend(backend: Backend): void {
  if (!BACKENDS.includes('postgres')) return; // there is nothing to choose
  const { createPostgresBackend, createRedisBackend, setDefaultBackendFactory } = bullmq;
  setDefaultBackendFactory((backend === 'redis' ? createRedisBackend : createPostgresBackend) as never);
}
