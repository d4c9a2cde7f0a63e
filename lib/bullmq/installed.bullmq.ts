import type { Queue } from 'bullmq';
import { IterationError } from '../iteration.errors.js';
import { BULLMQ_5 } from './bullmq.5.js';
import { BULLMQ_6 } from './bullmq.6.js';
import type { BullMQ } from './bullmq.js';

/** The oldest minor version of a major one that keeps the guarantees. Later majors are not refused. */
const OLDEST_MINOR: Readonly<Record<number, number>> = { 5: 72, 6: 4 };

/** The BullMQ that made a queue or worker, by what that offers; undefined for what BullMQ did not make. */
export function bullmqOf(owner: object): BullMQ | undefined {
  if ('getBackend' in owner) return BULLMQ_6;
  return 'client' in owner && 'toKey' in owner ? BULLMQ_5 : undefined;
}

/** @throws IterationError for a BullMQ that is too old to keep the guarantees. */
export function assertSupported(queue: Pick<Queue, 'name'>): void {
  const { metaValues } = queue as { readonly metaValues?: { readonly version?: string } };
  const [, found, major, minor] = /^bullmq:((\d+)\.(\d+)\..*)/.exec(metaValues?.version ?? '') ?? [];
  if (!found || Number(minor) >= (OLDEST_MINOR[Number(major)] ?? (Number(major) < 5 ? Infinity : 0))) return;
  const needed = Object.entries(OLDEST_MINOR).map(([one, oldest]) => `${one}.${oldest} or a later ${one}`);
  throw new IterationError(
    `BullMQ ${found} is installed, which cannot keep the guarantees of this library. Install BullMQ ${needed.join(', or ')}`,
  );
}
