import type { AskedOptions, JobFilter, TunedSettings } from '../control/index.js';
import type { Cursor } from '../cursor.js';
import { check, count, nonEmptyString, type Rule, type Rules, required } from '../rules.js';

interface JobPlace {
  readonly queue: string;
  readonly id: string;
}

const MOST_LISTED = 200;
const LISTED = 50;

/** IterationService checks the value. */
const unchecked: Rule = () => true;

const JOB = { queue: required(nonEmptyString), id: required(nonEmptyString) };
const PAGE = { start: numberText(0, Number.MAX_SAFE_INTEGER), limit: numberText(1, MOST_LISTED) };
const FILTER = {
  state: nonEmptyString,
  name: nonEmptyString,
  olderThanMs: numberText(0, Number.MAX_SAFE_INTEGER),
  partOf: nonEmptyString,
};

/** BullMQ refuses the others, without a status. */
const jobId: Rule = (value) =>
  (typeof value === 'string' && value !== '' && !/^-?\d+$/.test(value) && !value.includes(':')) ||
  'a text that is not a number and has no ":"';

export function readJob(query: unknown): JobPlace {
  return read<JobPlace>('job', query, JOB);
}

export function readList(query: unknown): { queue: string; start: number; limit: number } & JobFilter {
  const { queue, start, limit, ...filter } = read<Record<string, string> & { queue: string }>('jobs', query, {
    queue: required(nonEmptyString),
    ...FILTER,
    ...PAGE,
  });
  return { queue, ...pageOf({ start, limit }), ...filterOf(filter) };
}

export function readPage(query: unknown): { job: JobPlace; start: number; limit: number } {
  const { queue, id, ...page } = read<JobPlace & Record<string, string>>('dead-letters', query, { ...JOB, ...PAGE });
  return { job: { queue, id }, ...pageOf(page) };
}

export function readPause(body: unknown): AskedOptions & { job: JobPlace } {
  return ofJob(read<JobPlace & AskedOptions>('pause', body, { ...JOB, by: unchecked, reason: unchecked }));
}

export function readResume(body: unknown): Pick<AskedOptions, 'by'> & { job: JobPlace } {
  return ofJob(read<JobPlace & AskedOptions>('resume', body, { ...JOB, by: unchecked }));
}

export function readCancel(body: unknown): AskedOptions & { job: JobPlace } {
  return ofJob(read<JobPlace & AskedOptions>('cancel', body, { ...JOB, by: unchecked, reason: unchecked }));
}

export function readRestart(body: unknown): { job: JobPlace; cursor?: Cursor } {
  return ofJob(read<JobPlace & { cursor?: Cursor }>('restart', body, { ...JOB, cursor: unchecked }));
}

export function readTune(body: unknown): { job: JobPlace; settings: TunedSettings } {
  const { job, ...settings } = ofJob(
    read<JobPlace & TunedSettings>('tune', body, {
      ...JOB,
      itemConcurrency: unchecked,
      itemsPerSecond: unchecked,
      batchSize: unchecked,
    }),
  );
  return { job, settings };
}

export function readRedrive(body: unknown): JobPlace {
  return read<JobPlace>('redrive', body, JOB);
}

interface EnqueueRequest {
  readonly queue: string;
  readonly name: string;
  readonly data?: unknown;
  readonly jobId?: string;
  readonly cursor?: Cursor;
  readonly canary?: number;
}

export function readEnqueue(body: unknown): EnqueueRequest {
  return read<EnqueueRequest>('enqueue', body, {
    queue: required(nonEmptyString),
    name: required(nonEmptyString),
    data: unchecked,
    jobId,
    cursor: unchecked,
    canary: count,
  });
}

type BulkRequest = { queue: string; action: 'pause' | 'resume' | 'cancel' | 'restart' } & JobFilter & AskedOptions;

export function readBulk(body: unknown): BulkRequest {
  return read<BulkRequest>('bulk', body, {
    queue: required(nonEmptyString),
    action: required(unchecked),
    states: unchecked,
    name: unchecked,
    olderThanMs: unchecked,
    partOf: unchecked,
    by: unchecked,
    reason: unchecked,
  });
}

/** @throws InvalidOptionsError, which is answered with 400 */
function read<Known>(route: string, given: unknown, rules: Rules): Known {
  const plain = { ...(typeof given === 'object' ? given : undefined) }; // Express's query has no prototype
  check(route, Array.isArray(given) ? given : plain, rules);
  return plain as Known;
}

function ofJob<Given extends JobPlace>({ queue, id, ...rest }: Given): Omit<Given, 'queue' | 'id'> & { job: JobPlace } {
  return { ...rest, job: { queue, id } };
}

function pageOf({ start, limit }: { start?: string; limit?: string }): { start: number; limit: number } {
  return { start: Number(start ?? 0), limit: Number(limit ?? LISTED) };
}

function filterOf({ state, name, olderThanMs, partOf }: Record<string, string>): JobFilter {
  return {
    ...(state !== undefined && { states: state.split(',') as JobFilter['states'] }),
    ...(name !== undefined && { name }),
    ...(olderThanMs !== undefined && { olderThanMs: Number(olderThanMs) }),
    ...(partOf !== undefined && { partOf }),
  };
}

/** A whole number in a query. */
function numberText(least: number, most: number): Rule {
  return (value) =>
    (typeof value === 'string' && /^\d{1,16}$/.test(value) && Number(value) >= least && Number(value) <= most) ||
    `a whole number, ${least} to ${most}`;
}
