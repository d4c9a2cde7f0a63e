import type { Job, JobsOptions, Queue } from 'bullmq';
import { type Asked, type ControlStore, changeControl, withRequest } from '../checkpoint/index.js';
import type { Json } from '../cursor.js';
import { partOptions } from './part.option.js';

/** Jobs that are added, or asked for their state, at a time. */
const AT_A_TIME = 200;

/** The life of a job that is split: a job that starts anew has parts of its own. */
export interface SplitJob {
  readonly job: Job;
  readonly queue: Queue;
  readonly life: number;
}

/** How the parts of a job ended. */
export interface PartResults {
  readonly processed: number;
  readonly skipped: number;
  /** Ids of the parts that have failed, and why. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  /** Parts that have not ended. */
  readonly pending: number;
}

/**
 * The parts of a job: children in a BullMQ flow, with ids that are made of their job's. So a part that was added before a kill is
 * found again, and never added twice.
 */
export class PartJobs {
  readonly ids: readonly string[];

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
   */
  async add({ retriesFailed }: { readonly retriesFailed: boolean }): Promise<void> {
    for await (const parts of this.#states()) {
      const waited: number[] = [];
      for (const { id, index, state } of parts) {
        if (state === 'failed' && retriesFailed) await this.#retry(id);
        else if (state === 'completed' || state === 'failed') continue;
        waited.push(index);
      }
      if (waited.length > 0) await this.split.queue.addBulk(waited.map((index) => this.#child(index)));
    }
  }

  /** Asks the parts that are there, and have not ended, to be cancelled as their job is. */
  async cancel(store: ControlStore, { by, reason }: Asked): Promise<void> {
    const request = { type: 'cancel', by, reason, at: new Date().toISOString() } as const;
    for await (const parts of this.#states()) {
      const running = parts.filter(({ state }) => !['completed', 'failed', 'unknown'].includes(state));
      await Promise.all(
        running.map(({ id }) =>
          changeControl(store, id, (control) =>
            control.request?.type === 'cancel' ? control : withRequest(control, request),
          ),
        ),
      );
    }
  }

  /** Read from the parts themselves. A part that was never added has not begun, and is pending only while `add` may follow. */
  async results(): Promise<PartResults> {
    let [processed, skipped, pending] = [0, 0, 0];
    const failed: { id: string; reason: string }[] = [];
    for await (const parts of this.#states()) {
      const jobs = await Promise.all(parts.map(({ id }) => this.#find(id)));
      for (const [at, { id, state }] of parts.entries()) {
        const job = jobs[at];
        const done = countsOf(job);
        processed += done.processed;
        skipped += done.skipped;
        if (state === 'failed') failed.push({ id, reason: job?.failedReason ?? '' });
        else if (state !== 'completed' && state !== 'unknown') pending++;
      }
    }
    return { processed, skipped, failed, pending };
  }

  /** Called when it is saved that the job is complete: parts that have failed stay to be looked at. */
  async removeCompleted(): Promise<void> {
    for await (const parts of this.#states()) {
      const completed = parts.filter(({ state }) => state === 'completed');
      await Promise.all(completed.map(({ id }) => this.split.queue.remove(id)));
    }
  }

  async *#states(): AsyncGenerator<{ id: string; index: number; state: string }[]> {
    const { ids } = this;
    for (let start = 0; start < ids.length; start += AT_A_TIME) {
      const page = ids.slice(start, start + AT_A_TIME);
      yield await Promise.all(
        page.map(async (id, at) => ({ id, index: start + at, state: await this.split.queue.getJobState(id) })),
      );
    }
  }

  async #find(id: string): Promise<Job | undefined> {
    return (await this.split.queue.getJob(id)) as Job | undefined;
  }

  async #retry(id: string): Promise<void> {
    const part = await this.#find(id);
    await part?.retry('failed');
  }

  #child(index: number): { name: string; data: unknown; opts: JobsOptions } {
    const { job, queue } = this.split;
    const { attempts, backoff, priority } = job.opts;
    return {
      name: job.name,
      data: job.data,
      opts: {
        ...partOptions({ index, value: this.values[index] as Json }),
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

/** BullMQ refuses colons in an id that it did not make itself. */
export function partIds({ job, life }: Pick<SplitJob, 'job' | 'life'>, count: number): readonly string[] {
  const prefix = `${encodeURIComponent(job.id as string)}-${job.timestamp}-${life}-part`;
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** As of the part's last checkpoint. */
function countsOf(job: Job | undefined): { processed: number; skipped: number } {
  const { processed = 0, skipped = 0 } = (job?.progress ?? {}) as { processed?: number; skipped?: number };
  return { processed, skipped };
}
