import type { Job } from 'bullmq';
import type { Checkpoint, CheckpointStore } from '../checkpoint/index.js';
import { describe } from '../describe.js';
import { CrashLoopError } from '../iteration.errors.js';

/** Decides whether the item after the cursor killed its process too often (R19). Runs whose process survived do not count. */
export async function crashVerdict(
  { crashes = [], cursor }: Checkpoint,
  { job, store, limit }: { job: Job; store: CheckpointStore; limit: number },
): Promise<CrashLoopError | undefined> {
  if (crashes.length < limit) return undefined;
  const survivors = await store.survivors(job);
  const crashed = crashes.filter((run) => !survivors.includes(run));
  if (crashed.length < limit) return undefined;
  return new CrashLoopError(
    `The process ended ${crashed.length} times (runs ${crashed.join(', ')}) while it handled the item after cursor ` +
      `${describe(cursor)}, and nothing else. Look for what the item causes there: memory, native code, process.exit, ` +
      'an error that nobody catches',
    crashed.length,
  );
}
