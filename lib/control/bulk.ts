import { JobNotFoundError, JobStateError } from '../iteration.errors.js';
import type { ControlledQueue } from './controlled.queue.js';
import { chosenJobs, type JobFilter } from './job.list.js';

/** What a call of `bulk` did. */
export interface BulkResult {
  /** Jobs that the action was asked of; of these, those that it changed nothing of count too. */
  readonly done: number;
  /** Jobs whose state did not allow it, or that were gone by then: how many, and the first 100. */
  readonly refused: number;
  readonly errors: readonly { readonly id: string; readonly message: string }[];
}

const AT_A_TIME = 20;
const KEPT_ERRORS = 100;

/**
 * Asks the same of every job that a filter chooses now. What is asked again changes nothing, so a call that was cut off is
 * resumed by calling it again.
 */
export async function askOfAll(
  queue: ControlledQueue,
  filter: JobFilter,
  ask: (id: string) => Promise<void>,
): Promise<BulkResult> {
  // All first, since what is asked moves jobs from list to list; and again, for jobs that a worker took meanwhile.
  const chosen = new Set<string>();
  for (let round = 0; round < 2; round++) {
    for await (const { job } of chosenJobs(queue, filter)) chosen.add(job.id as string);
  }
  const ids = [...chosen];
  const errors: { id: string; message: string }[] = [];
  let done = 0;
  let refused = 0;
  const askNext = async () => {
    for (let id = ids.shift(); id !== undefined; id = ids.shift()) {
      try {
        await ask(id);
        done++;
      } catch (error) {
        if (!(error instanceof JobStateError || error instanceof JobNotFoundError)) throw error;
        refused++;
        if (errors.length < KEPT_ERRORS) errors.push({ id, message: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, askNext));
  return { done, refused, errors };
}
