import { IterationError } from '../iteration.errors.js';
import { BULLMQ_5 } from './bullmq.5.js';
import { BULLMQ_6 } from './bullmq.6.js';
import type { BullMQ } from './bullmq.js';

/** The oldest version of each major one that keeps the guarantees. Later majors are not refused. */
const OLDEST = [
  { major: 5, minor: 72 },
  { major: 6, minor: 4 },
];

/** The BullMQ that made a queue or worker, by what that offers; undefined for what BullMQ did not make. */
export function bullmqOf(owner: object): BullMQ | undefined {
  if ('getBackend' in owner) return BULLMQ_6;
  return 'client' in owner && 'toKey' in owner ? BULLMQ_5 : undefined;
}

/** @throws IterationError for a BullMQ that is too old to keep the guarantees. */
export function assertSupported(queue: object): void {
  const { metaValues } = queue as { readonly metaValues?: { readonly version?: string } };
  const [, version, major, minor] = /^bullmq:((\d+)\.(\d+)\..*)/.exec(metaValues?.version ?? '') ?? [];
  if (!version) return; // a variant of BullMQ, with versions of its own
  const isOld = OLDEST.some((oldest) => Number(major) === oldest.major && Number(minor) < oldest.minor);
  if (!isOld && Number(major) >= 5) return;
  const needed = OLDEST.map((oldest) => `${oldest.major}.${oldest.minor} or a later ${oldest.major}`).join(', or ');
  throw new IterationError(
    `BullMQ ${version} is installed, which cannot keep the guarantees of this library. Install BullMQ ${needed}`,
  );
}
