import type { Job, JobState } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';
import { type JobControl, readControl } from '../checkpoint/index.js';
import { partOf, partPrefixOf, savedPartIds } from '../parts/index.js';
import type { ControlledQueue } from './controlled.queue.js';
import { wholeState } from './part.sum.js';
import type { IterationState, IterationStatus } from './status.js';

/** Which jobs of a queue are meant. All conditions hold. */
export interface JobFilter {
  /** Default: every state. */
  states?: readonly IterationState[];
  /** The job's name. */
  name?: string;
  /** Only jobs that were added at least this long ago, in milliseconds. */
  olderThanMs?: number;
  /** The id of a job with parts: only its parts, in their order, those that are there. Default: only jobs that are no part. */
  partOf?: string;
}

/** Counted from 0, both included. */
export interface Range {
  start?: number | undefined;
  end?: number | undefined;
}

/** A job that a filter chooses. */
interface ChosenJob {
  readonly job: Job;
  readonly state: JobState | 'unknown';
  readonly control: JobControl;
  /** Without its parts. */
  readonly status: IterationStatus;
}

/** In the order of a list: what needs attention comes first. */
const TYPES = ['active', 'waiting', 'prioritized', 'delayed', 'waiting-children', 'failed', 'completed'] as const;
const WAITING = ['waiting', 'prioritized', 'delayed', 'waiting-children'] as const;

/** A job that waits for its parts is `running`. */
const TYPES_OF: Readonly<Record<IterationState, readonly JobState[]>> = {
  running: ['active', 'waiting-children'],
  pausing: ['active', 'waiting-children'],
  waiting: WAITING,
  interrupted: WAITING,
  paused: WAITING,
  cancelling: ['active', ...WAITING],
  failed: ['failed'],
  cancelled: ['failed'],
  completed: ['completed'],
};

/** Jobs that are loaded at a time. */
const PAGE = 100;

/** Jobs whose parts are read at a time. */
const SUMS_AT_A_TIME = 10;

/**
 * The statuses of the jobs that a filter chooses, a range of them. Jobs are loaded 100 at a time, up to the end of the range. Of
 * the jobs in the range, and of no other, the parts are read: each part once.
 */
export async function listJobs(
  listed: ControlledQueue,
  filter: JobFilter,
  { start = 0, end = 99 }: Range,
): Promise<IterationStatus[]> {
  const statuses: IterationStatus[] = [];
  let page: ChosenJob[] = [];
  const readPage = async () => {
    const whole = page.map(({ job, state, control, status }) =>
      status.part ? status : listed.wholeStatusOf(job, state, control),
    );
    page = [];
    statuses.push(...(await Promise.all(whole)));
  };
  let number = 0;
  for await (const chosen of chosenJobs(listed, filter)) {
    if (number >= start && page.push(chosen) === SUMS_AT_A_TIME) await readPage();
    if (number++ === end) break;
  }
  await readPage();
  return statuses;
}

/**
 * The jobs that a filter chooses, the latest of each state first, or the parts of a job in their order. One page is in memory at
 * a time. A job that changes its state meanwhile is listed once at most.
 */
export async function* chosenJobs(
  listed: ControlledQueue,
  { states, name, olderThanMs = 0, partOf }: JobFilter,
): AsyncGenerator<ChosenJob, void, void> {
  const addedBefore = Date.now() - olderThanMs;
  const wanted = states && new Set<string>(states.flatMap((state) => TYPES_OF[state]));
  const whole = partOf === undefined ? undefined : await listed.requests.controlOf(partOf);
  const pages = partOf === undefined ? jobsOfQueue(listed, wanted) : partsOfJob(listed, partOf, wanted);
  for await (const page of pages) {
    const controls = await listed.store.controls(page.map(({ job }) => job.id as string));
    for (const [index, { job, state }] of page.entries()) {
      if ((name !== undefined && job.name !== name) || job.timestamp > addedBefore) continue;
      const control = readControl(controls[index]);
      const status = listed.statusOf(job, state, { control, whole });
      if (states && !states.includes(await shownState(listed, { job, state, status }))) continue;
      yield { job, state, control, status };
    }
  }
}

type FoundJob = Pick<ChosenJob, 'job' | 'state'>;

/** Without parts: once one part of a job was loaded, the others are known by their ids. */
async function* jobsOfQueue(listed: ControlledQueue, wanted?: ReadonlySet<string>): AsyncGenerator<FoundJob[]> {
  const { queue } = listed.registered;
  const seen = new Set<string>();
  const prefixes = new Set<string>();
  for (const state of TYPES.filter((each) => !wanted || wanted.has(each))) {
    for (let start = 0; ; start += PAGE) {
      const ids = (await bullmqOf(queue)?.idsIn(queue, state, { start, end: start + PAGE - 1 })) ?? [];
      if (ids.length === 0) break;
      const fresh = ids.filter((id) => !seen.has(id) && !prefixes.has(partPrefixOf(id) ?? ''));
      for (const id of fresh) seen.add(id);
      const found = await loaded(
        listed,
        fresh.map((id) => ({ id, state })),
      );
      for (const { job } of found) {
        const prefix = partOf(job) && partPrefixOf(job.id as string);
        if (prefix) prefixes.add(prefix);
      }
      yield found.filter(({ job }) => !partOf(job));
    }
  }
}

/** @throws JobNotFoundError */
async function* partsOfJob(
  listed: ControlledQueue,
  id: string,
  wanted?: ReadonlySet<string>,
): AsyncGenerator<FoundJob[]> {
  const { job } = await listed.requests.find(id);
  const ids = await savedPartIds(job, listed.store);
  for (let start = 0; start < ids.length; start += PAGE) {
    const found = await listed.findParts(ids.slice(start, start + PAGE));
    yield found.filter((part) => part !== undefined && (!wanted || wanted.has(part.state))) as FoundJob[];
  }
}

/** Those that are there: a job may be removed meanwhile. */
async function loaded(
  { registered }: ControlledQueue,
  places: readonly { readonly id: string; readonly state: JobState | 'unknown' }[],
): Promise<FoundJob[]> {
  const jobs = await Promise.all(places.map(({ id }) => registered.queue.getJob(id) as Promise<Job | undefined>));
  return places.flatMap(({ state }, index) => {
    const job = jobs[index];
    return job?.id === undefined ? [] : [{ job, state }];
  });
}

/** As `status` shows it. */
async function shownState(
  listed: ControlledQueue,
  { job, state, status }: Omit<ChosenJob, 'control'>,
): Promise<IterationState> {
  if (state !== 'waiting-children') return status.state;
  const ids = await savedPartIds(job, listed.store);
  if (ids.length === 0) return status.state;
  if (status.state !== 'paused') return wholeState(status.state, []);
  return (await listed.findParts(ids)).some((part) => part?.state === 'active') ? 'pausing' : 'paused';
}
