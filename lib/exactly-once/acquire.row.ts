import type { RunCheckpoint } from '../checkpoint/index.js';
import { isSameJson } from '../cursor.js';
import type { RunContext } from '../runtime/index.js';
import type { CommittedProgress } from './transactional.checkpoint.js';

/**
 * R25: makes the job's row this run's, and goes on where it was committed. That this run has begun is saved before: a run of
 * a lower number must not have the row.
 *
 * @returns false when the lock is lost, or another run has the row.
 */
export async function claimRow(
  committed: CommittedProgress,
  checkpoint: RunCheckpoint,
  context: RunContext,
): Promise<boolean> {
  if (!(await checkpoint.saveSurely())) return false;
  const claimed = await committed.claim();
  if (!claimed) return false;
  const { document } = claimed;
  if (!document) return true;
  const { crashes, cursor, failures, passed, stopped: stoppedBefore } = checkpoint.current;
  const same = passed === document.passed;
  const isBehind = same && isSameJson(cursor, document.cursor);
  const { state = null, version, letter, stopped } = document;
  checkpoint.follow(document);
  checkpoint.change({
    version,
    letter,
    stopped: isBehind ? stoppedBefore : stopped,
    failures: same ? failures : 0,
    crashes: same ? crashes : undefined,
  });
  if (isBehind) return true; // the row: what hooks made of it since is kept
  context.state = structuredClone(state);
  context.stopped = stopped;
  return true;
}
