import type { RecordRow } from '../ledger.js';
import { lateRowsOf, type Repeat, repeatsOf } from './repeats.js';
import { longestStopMs, stopsOf } from './requests.js';
import {
  excuseOf,
  type Interval,
  type JobStory,
  overlapMs,
  type ParentStory,
  type Run,
  type WorkerStory,
  type World,
} from './story.js';

const KINDS = ['pause', 'resume', 'cancel', 'tune'] as const;

/** The counts of a chaos run. */
export type Figures = Readonly<Record<string, number>>;

export function figuresOf(
  wholes: readonly (JobStory | ParentStory)[],
  record: readonly RecordRow[],
  world: World,
): Figures {
  const count = (type: RecordRow['type']) => record.filter((row) => row.type === type).length;
  const parents = wholes.filter((job): job is ParentStory => 'parts' in job);
  const parts = parents.flatMap((parent) => parent.parts);
  const jobs: readonly JobStory[] = [...wholes, ...parts];
  const runs = jobs.flatMap((job) => job.runs);
  const repeats = jobs.flatMap((job) => repeatsOf(job, world));
  const ended = (outcome: string) => runs.filter(({ ends }) => ends[0]?.detail === outcome).length;
  const silent = runs.filter(({ beginnings, ends }) => beginnings.length > 0 && ends.length === 0);
  const freezes = [...world.workers.values()].flatMap(({ freezes }) => freezes);
  const requests = wholes.flatMap((job) => job.requests);
  const takeovers = jobs.flatMap((job) => takeoversOf(job, world));
  return {
    'jobs added': count('added'),
    'jobs restarted': wholes.length - count('added'),
    'jobs complete': wholes.filter(({ state }) => state === 'completed').length,
    'jobs cancelled': wholes.filter(({ state }) => state === 'cancelled').length,
    'jobs failed': wholes.filter(({ state }) => state === 'failed').length,
    'jobs in parts': parents.length,
    'parts that ran': parts.length,
    'requests to jobs in parts': parents.reduce((sum, parent) => sum + parent.requests.length, 0),
    'requests to a part alone': parts.reduce((sum, { own }) => sum + own.length, 0),
    'requests of operators': requests.length,
    ...Object.fromEntries(KINDS.map((kind) => [`  ${kind}`, requests.filter(({ type }) => type === kind).length])),
    'requests refused': record.filter((row) => row.type === 'answer' && row.outcome === 'refused').length,
    'longest stop after a request, ms': Math.round(Math.max(0, ...jobs.map(longestStopMs))),
    'SIGKILLs of workers': count('kill'),
    'SIGTERMs of workers': count('term'),
    freezes: freezes.length,
    'freezes longer than the lock': freezes.filter(({ from, to }) => to - from > world.rules.lockMs).length,
    'Redis restarts': world.outages.length,
    'handler errors': runs.reduce((sum, { errors }) => sum + errors.length, 0),
    runs: runs.length,
    'runs cut off by a kill': silent.filter((run) => excuseOf(run, world) === 'kill').length,
    'runs that lost their lock': silent.filter((run) => excuseOf(run, world) !== 'kill').length,
    'runs interrupted': ended('interrupt'),
    'runs retried': ended('retry'),
    effects: jobs.reduce((sum, { items }) => sum + items.length, 0),
    'records lost': wholes.reduce(
      (sum, job) => sum + (job.state === 'completed' && !('parts' in job) ? lostOf(job) : 0),
      0,
    ),
    'records repeated': recordsOf(repeats),
    'records repeated of jobs that promise exactly once': recordsOf(
      jobs.filter(({ exactlyOnce }) => exactlyOnce).flatMap((job) => repeatsOf(job, world)),
    ),
    'largest repeat, records': Math.max(0, ...repeats.map(({ records }) => records)),
    'largest repeat, items': Math.max(0, ...repeats.map(({ rows }) => rows.length)),
    'largest repeat, ms': Math.round(Math.max(0, ...repeats.map(({ ms }) => ms))),
    'items in flight of zombies': jobs.reduce((sum, job) => sum + lateRowsOf(job).length, 0),
    'hooks called': runs.reduce((sum, { rows }) => sum + rows.filter(isHook).length, 0),
    'longest takeover by a running worker, ms': Math.round(Math.max(0, ...takeovers)),
  };
}

function isHook({ type }: Run['rows'][number]): boolean {
  return type !== 'build' && type !== 'item' && type !== 'error';
}

function lostOf({ items, size }: JobStory): number {
  const there = new Set<number>();
  for (const { first, last } of items) for (let at = first; at <= last; at++) there.add(at);
  return size - there.size;
}

/** Time from a kill to the next run of each job that it cut off, if another worker and Redis ran all the time. */
function takeoversOf(job: JobStory, { outages, workers }: World): number[] {
  const { runs } = job;
  const stops = stopsOf(job);
  return runs.flatMap((run) => {
    const killedAt = workers.get(run.worker)?.killedAt;
    if (killedAt === undefined || run.ends.length > 0 || run.nextAt < killedAt || run.nextAt === Infinity) return [];
    const awaited = { from: killedAt, to: run.nextAt };
    const ran = [...workers.values()].some((worker) => isRunning(worker, awaited));
    const mayRun = ![...outages, ...stops].some((interval) => overlapMs(interval, awaited) > 0);
    return ran && mayRun ? [run.nextAt - killedAt] : [];
  });
}

function isRunning({ exit, freezes, readyAt = Infinity, termedAt = Infinity }: WorkerStory, during: Interval): boolean {
  const until = Math.min(termedAt, exit?.at ?? Infinity);
  return readyAt < during.from && until > during.to && !freezes.some((freeze) => overlapMs(freeze, during) > 0);
}

function recordsOf(repeats: readonly Pick<Repeat, 'records'>[]): number {
  return repeats.reduce((sum, { records }) => sum + records, 0);
}
