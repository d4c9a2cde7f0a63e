import * as bullmq from 'bullmq';

export type Backend = 'redis' | 'postgres';

/** The backends that the installed BullMQ has: 5 has Redis alone. */
export const BACKENDS: readonly Backend[] = 'createPostgresBackend' in bullmq ? ['redis', 'postgres'] : ['redis'];

/** Sets the backend of all queues and workers that are made from now on. */
export function useBackend(backend: Backend): void {
  if (!BACKENDS.includes('postgres')) return; // there is nothing to choose
  const { createPostgresBackend, createRedisBackend, setDefaultBackendFactory } = bullmq;
  setDefaultBackendFactory((backend === 'redis' ? createRedisBackend : createPostgresBackend) as never);
}
