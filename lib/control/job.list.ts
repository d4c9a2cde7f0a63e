import type { Job, JobState, JobType } from 'bullmq';
import { readControl } from '../checkpoint/index.js';
import type { ControlledQueue } from './controlled.queue.js';
import type { IterationState, IterationStatus } from './status.js';

/** Which jobs of a queue are meant. All conditions hold. */
export interface JobFilter {
  /** Default: every state. */
  states?: readonly IterationState[];
  /** The job's name. */
  name?: string;
  /** Only jobs that were added at least this long ago, in milliseconds. */
  olderThanMs?: number;
}

/** Counted from 0, both included. */
export interface Range {
  start?: number;
  end?: number;
}

/** In the order of a list: what needs attention comes first. */
const TYPES = ['active', 'waiting', 'prioritized', 'delayed', 'waiting-children', 'failed', 'completed'] as const;

const TYPES_OF: Readonly<Record<IterationState, readonly JobType[]>> = {
  running: ['active'],
  pausing: ['active'],
  waiting: ['waiting', 'prioritized', 'delayed', 'waiting-children'],
  interrupted: ['waiting', 'prioritized', 'delayed', 'waiting-children'],
  paused: ['waiting', 'prioritized', 'delayed', 'waiting-children'],
  cancelling: ['active', 'waiting', 'prioritized', 'delayed', 'waiting-children'],
  failed: ['failed'],
  cancelled: ['failed'],
  completed: ['completed'],
};

/** Jobs that are loaded at a time. */
const PAGE = 100;

/**
 * The jobs of a queue, the latest of each state first. One page is in memory at a time. A job that changes its state
 * meanwhile is listed once at most.
 */
export async function* listJobs(
  listed: ControlledQueue,
  { states, name, olderThanMs = 0 }: JobFilter,
): AsyncGenerator<IterationStatus, void, void> {
  const { registered, store } = listed;
  const { queue } = registered;
  const wanted = states && new Set(states.flatMap((state) => TYPES_OF[state]));
  const seen = new Set<string>();
  const addedBefore = Date.now() - olderThanMs;
  for (const type of TYPES.filter((each) => !wanted || wanted.has(each))) {
    for (let start = 0; ; start += PAGE) {
      const page = (await queue.getJobs([type], start, start + PAGE - 1)) as (Job | undefined)[];
      const jobs = page.filter(isThere);
      const controls = await store.controls(jobs.map(({ id }) => id as string));
      for (const [index, job] of jobs.entries()) {
        const isNew = !seen.has(job.id as string);
        seen.add(job.id as string);
        if (!isNew || (name !== undefined && job.name !== name) || job.timestamp > addedBefore) continue;
        const status = listed.statusOf(job, type as JobState, readControl(controls[index]));
        if (!states || states.includes(status.state)) yield status;
      }
      if (page.length === 0) break; // BullMQ leaves out jobs that were removed while it loaded them
    }
  }
}

/** A job may be removed while the page is loaded. */
function isThere(job: Job | undefined): job is Job {
  return job?.id !== undefined;
}
