import type { Job } from 'bullmq';
import type { CheckpointStore } from '../checkpoint/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import type { Lock } from '../interruption/index.js';
import { UnknownJobError } from '../iteration.errors.js';
import type { RunReport } from '../run/index.js';
import type { RunLog } from '../runtime/index.js';

/** A job with an unknown name is looked at again after this time. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Puts back a job whose name no processor here handles: during a rolling deploy another worker knows it. The time of the
 * first try is kept with the job, beside its progress; after `unknownJobMs` the job fails.
 */
export async function putBackUnknown(
  job: Job,
  {
    lock,
    store,
    log,
    now,
    unknownJobMs,
    definitions,
  }: {
    lock: Lock;
    store: CheckpointStore;
    log: RunLog;
    now: number;
    unknownJobMs: number;
    definitions: readonly ProcessorDefinition[];
  },
): Promise<RunReport> {
  const since = unknownSince(job.progress) ?? now;
  const remainingMs = since + unknownJobMs - now;
  if (remainingMs <= 0) {
    const known = definitions.map(({ jobName, name }) => `"${jobName}" (${name})`).join(', ');
    const error = new UnknownJobError(
      job.queueName,
      job.name,
      `No processor of queue "${job.queueName}" handles jobs named "${job.name}"; this application's are ${known}. ` +
        `It was put back for ${unknownJobMs} ms (unknownJobMs)`,
    );
    return { type: 'failed', error, failures: 1, decision: { type: 'fail' } };
  }
  if (since === now) {
    log.warn(
      `no processor of this application handles jobs of its name; it is put back, and fails in ${unknownJobMs} ms (unknownJobMs)`,
    );
    const progress = typeof job.progress === 'object' ? job.progress : { progress: job.progress };
    if (!(await store.save(job, lock.token, { ...progress, unknownSince: since }))) return { type: 'lost' };
  }
  return { type: 'delay', delayMs: Math.min(LOOK_AGAIN_MS, remainingMs) };
}

function unknownSince(progress: unknown): number | undefined {
  const since =
    typeof progress === 'object' && progress !== null && 'unknownSince' in progress ? progress.unknownSince : undefined;
  return typeof since === 'number' ? since : undefined;
}
