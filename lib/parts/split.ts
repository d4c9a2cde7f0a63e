import type { Job, Queue } from 'bullmq';
import type { CheckpointStore } from '../checkpoint/index.js';
import { checkJson, type Json } from '../cursor.js';
import type { PartitionsContext, ProcessorDefinition } from '../definition/index.js';
import { describe } from '../describe.js';
import { isOutage, type Lock, retryWhileHeld } from '../interruption/index.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { partIds, removeParts } from './part.jobs.js';

interface SplittingRun {
  readonly definition: ProcessorDefinition;
  readonly job: Job;
  readonly lock: Lock;
  readonly queue: Pick<Queue, 'remove'>;
  readonly store: Pick<CheckpointStore, 'parts' | 'saveParts'>;
}

interface SavedParts {
  /** The life of the job that they are of. */
  readonly life: number;
  readonly values: readonly Json[];
}

/** The ids of the parts that a job has; none: it is not split, or not yet. */
export async function savedPartIds(job: Job, store: Pick<CheckpointStore, 'parts'>): Promise<readonly string[]> {
  const text = await store.parts(job);
  if (text === undefined) return [];
  const { life, values } = JSON.parse(text) as SavedParts;
  return partIds({ job, life }, values.length);
}

/** A job may have this many parts, and as many bytes of values. */
const MAX_PARTS = 100_000;

/**
 * The values of a job's parts: those that it has, else those that the processor makes. They are saved before any part is added,
 * and never made again (R27). A job that starts anew has parts of its own: the old ones are removed.
 *
 * @param options.makes Otherwise a job without parts has none.
 * @throws InvalidEnumeratorError, InvalidCursorError, LockLostError
 */
export async function partsOf(
  { definition, job, lock, queue, store }: SplittingRun,
  { context, life, makes }: { readonly context: PartitionsContext; readonly life: number; readonly makes: boolean },
): Promise<readonly Json[]> {
  const whileHeld = <T>(work: () => Promise<T>) => retryWhileHeld(lock, work, isOutage);
  const text = await whileHeld(() => store.parts(job));
  const saved = text === undefined ? undefined : (JSON.parse(text) as SavedParts);
  if (saved?.life === life) return saved.values;
  if (!makes) return [];
  lock.assertHeld(); // the answer may have waited for a frozen process to thaw
  if (saved) {
    const old = partIds({ job, life: saved.life }, saved.values.length);
    await whileHeld(() => removeParts(old, queue));
  }
  const values = checked(await definition.partition?.(context), definition.partitionsName);
  const parts: SavedParts = { life, values };
  if (!(await whileHeld(() => store.saveParts(job, lock.token, JSON.stringify(parts))))) throw lock.lose();
  return values;
}

function checked(values: unknown, method: string): readonly Json[] {
  if (!Array.isArray(values)) {
    throw new InvalidEnumeratorError(
      `${method} returned ${describe(values)}; it must return an array, with a JSON value for each part. Was the "return" forgotten?`,
    );
  }
  if (values.length > MAX_PARTS) {
    throw new InvalidEnumeratorError(
      `${method} returned ${values.length} parts, and a job has at most ${MAX_PARTS}. A part is as much as one worker does in minutes`,
    );
  }
  for (const value of values) checkJson(value, 'part');
  return values as readonly Json[];
}
