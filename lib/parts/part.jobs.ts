import { ErrorCode, type Job, type JobsOptions, type Queue } from 'bullmq';
import { canaryOf, canaryOptions, readCheckpoint } from '../checkpoint/index.js';
import type { Json } from '../cursor.js';
import type { Lock } from '../interruption/index.js';
import { partOptions } from './part.option.js';
import { hasEnded, type PartNow, type PartResults, PartSum, partStateOf } from './part.results.js';

/** Jobs that are added, or read, at a time. */
const AT_A_TIME = 200;

/** The life of a job that is split: a job that starts anew has parts of its own. */
interface SplitJob {
  readonly job: Job;
  readonly queue: Queue;
  readonly lock: Pick<Lock, 'assertHeld'>;
  readonly life: number;
  /** The number of the restart that began this life; 0 for the first. */
  readonly restarted: number;
  /** All parts were added. */
  readonly areAdded: boolean;
}

/**
 * The parts of a job: children in a BullMQ flow, with ids that are made of their job's. So a part that was added before a kill is
 * found again, and never added twice.
 */
export class PartJobs {
  readonly ids: readonly string[];
  /** The results of parts that had completed when one was first missed. */
  #removed: ReadonlyMap<string, unknown> | undefined;

  constructor(
    private readonly split: SplitJob,
    private readonly values: readonly Json[],
  ) {
    this.ids = partIds(split, values.length);
  }

  /**
   * Adds the parts that are not there, and makes sure that the job waits for each one that has not ended: its worker may have
   * died while it added them.
   *
   * @param options.retriesFailed The job is tried again: so are the parts that have failed.
   * @returns how the parts that have ended did.
   * @throws LockLostError
   */
  async add({ retriesFailed }: { readonly retriesFailed: boolean }): Promise<PartResults> {
    const { lock, queue } = this.split;
    const sum = new PartSum();
    for await (const parts of this.#parts()) {
      const waited: PartNow[] = [];
      for (const part of parts) {
        const isRetried = part.state === 'failed' && (retriesFailed || wasCancelledWithWhole(part));
        if (isRetried || !hasEnded(part)) waited.push(part);
        else await this.#count(part, sum);
      }
      lock.assertHeld(); // the parts may have completed, and be removed, since this worker asked for them
      if (waited.length > 0) await queue.addBulk(waited.map(({ index }) => this.#child(index)));
      // Only now: of a part that completes before its job waits for it, BullMQ on PostgreSQL would count one too many as ended.
      await Promise.all(waited.filter(({ state }) => state === 'failed').map(retry));
      sum.pending += waited.filter(({ job }) => job === undefined).length;
      // A part that was there may have ended just before it was added again.
      const known = waited.filter(({ job }) => job !== undefined).map(({ index }) => index);
      for (const part of await this.#read(known)) await this.#count(part, sum);
    }
    return sum;
  }

  /** Read from the parts themselves. A part that was never added has not begun, and is pending only while `add` may follow. */
  async results(): Promise<PartResults> {
    const sum = new PartSum();
    for await (const parts of this.#parts()) for (const part of parts) await this.#count(part, sum);
    return sum;
  }

  /** Called when it is saved that the job is complete: parts that have failed stay to be looked at. */
  async removeCompleted(): Promise<void> {
    for await (const parts of this.#parts()) {
      const completed = parts.filter(({ job, state }) => job && state === 'completed');
      const removed = completed.map(({ id }) => this.split.queue.remove(id, { removeChildren: false })); // its children are the user's
      await Promise.all(removed);
    }
  }

  /** The job no longer waits for a part that has failed, as it would if the part failed just before `add` added it again. */
  async #count(part: PartNow, sum: PartSum): Promise<void> {
    sum.count(part);
    if (part.state === 'failed' && part.job?.parentKey) await part.job.removeChildDependency();
  }

  async *#parts(): AsyncGenerator<readonly PartNow[]> {
    const indexes = [...this.ids.keys()];
    this.#removed = undefined;
    for (let start = 0; start < indexes.length; start += AT_A_TIME) {
      yield await this.#read(indexes.slice(start, start + AT_A_TIME));
    }
  }

  async #read(indexes: readonly number[]): Promise<readonly PartNow[]> {
    const idOf = (index: number) => this.ids[index] as string;
    const jobs: readonly (Job | undefined)[] = await Promise.all(
      indexes.map((index) => this.split.queue.getJob(idOf(index))),
    );
    if (jobs.includes(undefined)) this.#removed ??= await this.#completedResults();
    return indexes.map((index, at) => {
      const [id, job] = [idOf(index), jobs[at]];
      if (job) return { id, index, job, state: partStateOf(job), done: job.progress };
      const hasCompleted = this.#removed?.has(id);
      // Whether a part that was removed had completed is not known: to run it again could repeat all of it.
      const missing = this.split.areAdded ? 'failed' : 'unknown';
      return { id, index, job, state: hasCompleted ? 'completed' : missing, done: this.#removed?.get(id) };
    });
  }

  /** What BullMQ keeps with the job, by the id of the part: on Redis also of parts that were removed, by hand or to clean the queue. */
  async #completedResults(): Promise<ReadonlyMap<string, unknown>> {
    const values = await this.split.job.getChildrenValues();
    return new Map(Object.entries(values).map(([key, value]) => [key.slice(key.lastIndexOf(':') + 1), value]));
  }

  #child(index: number): { name: string; data: unknown; opts: JobsOptions } {
    const { job, life, queue, restarted } = this.split;
    const { timestamp: addedAt } = job;
    const canary = canaryOf(job);
    const { attempts, backoff, priority } = job.opts;
    return {
      name: job.name,
      data: job.data,
      opts: {
        ...(canary !== undefined && canaryOptions(canary)),
        ...partOptions({ index, value: this.values[index] as Json, of: job.id as string, addedAt, life, restarted }),
        attempts,
        backoff,
        priority,
        jobId: this.ids[index],
        parent: { id: job.id as string, queue: queue.qualifiedName },
        removeDependencyOnFailure: true, // the job itself decides what a failed part means
        removeOnComplete: false,
        removeOnFail: false,
      },
    };
  }
}

/** Removes the parts of an earlier life of a job. */
export async function removeParts(ids: readonly string[], queue: Pick<Queue, 'remove'>): Promise<void> {
  for (let start = 0; start < ids.length; start += AT_A_TIME) {
    await Promise.all(ids.slice(start, start + AT_A_TIME).map((id) => queue.remove(id)));
  }
}

/** BullMQ refuses colons in an id that it did not make itself. */
export function partIds({ job, life }: Pick<SplitJob, 'job' | 'life'>, count: number): readonly string[] {
  const prefix = `${encodeURIComponent(job.id as string)}-${job.timestamp}-${life}-part`;
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** What the ids of a job's parts have in common. Undefined: no part has such an id; some other jobs may have one. */
export function partPrefixOf(id: string): string | undefined {
  return /^(.*-\d+-\d+-part)-\d+$/s.exec(id)?.[1];
}

/** The cancellation was withdrawn before it had ended every part. */
function wasCancelledWithWhole({ job }: PartNow): boolean {
  return readCheckpoint(job?.progress)?.ended?.asked?.ofWhole === true;
}

/** Someone may have retried or removed the part by hand. */
async function retry({ job }: PartNow): Promise<void> {
  await job?.retry('failed').catch((error: { readonly code?: number }) => {
    if (error.code !== ErrorCode.JobNotInState && error.code !== ErrorCode.JobNotExist) throw error;
  });
}
