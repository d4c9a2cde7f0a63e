import { Progress } from '../checkpoint/index.js';
import { isSameJson } from '../cursor.js';
import type { Run } from '../runtime/index.js';
import type { TransactionalCheckpoint } from './transactional.checkpoint.js';

/**
 * R25: makes the job's row this run's, and resumes from what is committed there. The run's number is saved first: a run of
 * a lower number must not get the row.
 *
 * @throws LockLostError also when another run has the row
 */
export async function acquireRow(
  row: TransactionalCheckpoint,
  { checkpoint, context, lock }: Pick<Run, 'checkpoint' | 'context' | 'lock'>,
): Promise<void> {
  await checkpoint.flushSurely();
  const acquired = await row.acquire();
  if (!acquired) throw lock.lose();
  const { document } = acquired;
  if (!document) return;
  const before = checkpoint.current;
  const isSameItem = before.passed === document.passed;
  const isCurrent = isSameItem && isSameJson(before.cursor, document.cursor);
  checkpoint.resumeFrom(Progress.of(document));
  checkpoint.change({
    version: document.version,
    letter: document.letter,
    stopped: isCurrent ? before.stopped : document.stopped,
    failures: isSameItem ? before.failures : 0,
    crashes: isSameItem ? before.crashes : undefined,
  });
  if (isCurrent) return; // what hooks have changed since the commit is kept
  context.state = structuredClone(document.state ?? null);
  context.stopped = document.stopped;
}
