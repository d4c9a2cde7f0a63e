import type { Job, JobsOptions } from 'bullmq';
import {
  type DeadLetter,
  DeadLetterQueue,
  type LetterData,
  REDRIVE,
  type RedriveOf,
  redriveOf,
} from '../dead-letters/index.js';
import type { RegisteredQueue } from '../discovery/index.js';
import { JobStateError } from '../iteration.errors.js';
import { partOf } from '../parts/index.js';

/** `start` and `end` as BullMQ counts: both included, negative ones from the end. */
export async function listDeadLetters(
  queue: RegisteredQueue,
  id: string,
  { start = 0, end = -1 }: { start?: number; end?: number },
): Promise<DeadLetter[]> {
  const { letters } = await lettersOf(queue, id);
  return letters.slice(start, end === -1 ? undefined : end + 1).map(published);
}

/** @throws JobStateError when the job has no dead letters */
export async function redrive(queue: RegisteredQueue, id: string): Promise<Job> {
  const { job, origin, letters } = await lettersOf(queue, id);
  const last = letters.at(-1);
  // A part's letters are those of its job, too.
  const deduplicationId = `redrive-${last?.job.id ?? (job && partOf(job)?.of) ?? origin}`;
  const known = last ? undefined : await redriving(queue, deduplicationId);
  if (known) return known;
  if (!last) throw new JobStateError(queue.name, id, 'has no dead letters: there is nothing to redrive');
  const of: RedriveOf = { id: origin, until: last.order };
  return queue.queue.add(last.jobName, last.data, {
    ...(job && keptOptions(job.opts)), // of a removed job, the queue's own
    [REDRIVE]: of,
    // BullMQ gives the job back that has this id and has not ended.
    deduplication: { id: deduplicationId },
  } as JobsOptions);
}

/** The job that has handled the last letter, and has not ended. */
async function redriving({ queue }: RegisteredQueue, deduplicationId: string): Promise<Job | undefined> {
  const id = await queue.getDeduplicationJobId(deduplicationId);
  return id ? ((await queue.getJob(id)) as Job | undefined) : undefined;
}

function keptOptions({ attempts, backoff, priority, removeOnComplete, removeOnFail }: JobsOptions): JobsOptions {
  return { attempts, backoff, priority, removeOnComplete, removeOnFail };
}

/** A job's letters, and those of the job whose letters it goes over. */
async function lettersOf(
  { queue }: RegisteredQueue,
  id: string,
): Promise<{ job: Job | undefined; origin: string; letters: readonly LetterData[] }> {
  const job = (await queue.getJob(id)) as Job | undefined;
  const origin = (job && redriveOf(job)?.id) ?? id;
  const deadLetters = new DeadLetterQueue(queue);
  try {
    return { job, origin, letters: await deadLetters.of(origin) };
  } finally {
    await deadLetters.close();
  }
}

function published({ processor, job, before, cursor, summary = '', error, tries, at }: LetterData): DeadLetter {
  return { processor, job, before, cursor, summary, error, tries, at };
}
