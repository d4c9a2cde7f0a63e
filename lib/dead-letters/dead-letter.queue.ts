import type { Job, JobType, Queue } from 'bullmq';
import { type DeadLetterRecord, isBefore } from './dead-letter.js';

/** Follows the queue's name in the name of its dead-letter queue. */
export const DEAD_LETTERS = '-dead-letters';

/** The data of a letter's BullMQ job. */
export interface LetterData extends DeadLetterRecord {
  /** Data of the job whose item was skipped: that job may be removed before the letter. */
  readonly data: unknown;
}

/** Letters wait in a queue without a worker. A letter that a worker of the user's has completed is no longer listed. */
const STATES: readonly JobType[] = ['waiting', 'prioritized', 'delayed', 'active', 'failed'];
const PAGE = 1_000;

/** The dead letters of a queue: a BullMQ queue beside it. */
export class DeadLetterQueue {
  readonly #queue: Queue;

  /** @param queue The queue whose items were skipped: the dead-letter queue uses the same connection and prefix. */
  constructor(queue: Queue) {
    const Type = queue.constructor as new (name: string, options: Queue['opts']) => Queue;
    const { connection, prefix } = queue.opts;
    this.#queue = new Type(`${queue.name}${DEAD_LETTERS}`, { connection, prefix });
    this.#queue.on('error', () => {}); // each call reports its own
  }

  /** Writes a letter, or replaces it. */
  async put(letter: DeadLetterRecord, data: unknown): Promise<void> {
    const { id, jobName } = letter;
    const kept: LetterData = { ...letter, data };
    const known = (await this.#queue.getJob(id)) as Job | undefined;
    if (known) await known.updateData(kept);
    else await this.#queue.add(jobName, kept, { jobId: id });
  }

  /** The letters of a job, or of one part of a job, in the order in which its items were skipped. */
  async of(jobId: string): Promise<readonly LetterData[]> {
    const letters = new Map<string, LetterData>(); // a letter that is written meanwhile moves others to the next page
    for (const state of STATES) {
      for (let start = 0; ; start += PAGE) {
        const jobs: readonly (Job<LetterData> | undefined)[] = await this.#queue.getJobs(
          state,
          start,
          start + PAGE - 1,
        );
        for (const job of jobs) if (job && isOf(job.data, jobId)) letters.set(job.data.id, job.data);
        if (jobs.length < PAGE) break;
      }
    }
    return [...letters.values()].sort(({ order: one }, { order: other }) => (isBefore(one, other) ? -1 : 1));
  }

  async remove(id: string): Promise<void> {
    await this.#queue.remove(id);
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

function isOf({ job, part }: LetterData, id: string): boolean {
  return job?.id === id || part?.id === id;
}
