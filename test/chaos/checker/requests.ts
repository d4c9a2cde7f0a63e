import type { LedgerRow, RecordRow } from '../ledger.js';
import {
  type AskedOf,
  awakeMs,
  type Breach,
  type Interval,
  type JobStory,
  overlapMs,
  type PartStory,
  type World,
  waitedMs,
} from './story.js';

/** R28: a running job stops before its next item, within this time. */
const STOPS_MS = 2_000;
/** R31: a setting is in force within this time. */
const IN_FORCE_MS = 2_000;
/** A worker finds its Redis again within this time. */
const RECONNECTS_MS = 1_500;
/** R34: in no window of this length more than this share of the limit. */
const WINDOW_MS = 10_000;
const MOST = 1.1;
/** How many requests a job's history keeps. */
const KEPT_EVENTS = 20;

/** R28: after a pause or a cancellation no item begins, until the job is resumed. It stays so over kills. */
export function stopsWhenAsked(job: JobStory, world: World): Breach[] {
  const stops = stopsOf(job);
  return job.runs.flatMap(({ id, items, rows, worker }) => {
    const late = items.find((item) => {
      const begunAt = rows[rows.indexOf(item) - 1]?.at ?? item.at;
      return stops.some(
        (stop) =>
          stop.from < begunAt && item.at < stop.to && activeMs(world, worker, { ...stop, to: begunAt }) > STOPS_MS,
      );
    });
    if (!late) return [];
    const stop = stops.find(({ from, to }) => from < late.at && late.at < to) as Interval;
    const message = `run ${id} handled record ${late.first} ${Math.round(late.at - stop.from)} ms after it was asked to stop`;
    return [{ rule: 'R28', job: job.id, message, evidence: around(rows, late) }];
  });
}

/**
 * From when a job must stop until it may run again. A part stops with its job. A pause of one part holds until the part or its
 * job is resumed.
 */
export function stopsOf(job: JobStory): readonly Interval[] {
  const { requests } = job;
  const stops = stopsBy(requests);
  return isPart(job) ? [...stops, ...stopsAlone(job)] : stops;
}

/** The order of two requests that were asked for at the same time is not known. */
function stopsAlone({ own, requests }: PartStory): readonly Interval[] {
  const resumes = [...own, ...requests].filter(({ type }) => type === 'resume');
  return own.flatMap(({ from, to, type }) => {
    if (type !== 'pause' && type !== 'cancel') return [];
    if (resumes.some((resume) => resume.from <= to && from <= resume.to)) return [];
    const next = resumes.reduce((least, resume) => (resume.from > to ? Math.min(least, resume.from) : least), Infinity);
    return [{ from: to, to: next }];
  });
}

function isPart(job: JobStory): job is PartStory {
  return 'own' in job;
}

function stopsBy(requests: readonly AskedOf[]): readonly Interval[] {
  const stops: Interval[] = [];
  let from: number | undefined;
  for (const { from: askedAt, to: writtenAt, type } of requests) {
    if (type === 'pause' || type === 'cancel') from ??= writtenAt;
    if (type !== 'resume' || from === undefined) continue;
    stops.push({ from, to: askedAt });
    from = undefined;
  }
  return from === undefined ? stops : [...stops, { from, to: Infinity }];
}

/** How long after a request the last item of its run ended, without any excuse. */
export function longestStopMs(job: JobStory): number {
  const ofStop = ({ from, to }: Interval) => job.items.flatMap(({ at }) => (from < at && at < to ? [at - from] : []));
  return Math.max(0, ...stopsOf(job).flatMap(ofStop));
}

/** How long a worker could look for requests: it was awake, and its backend was there. */
function activeMs(world: World, worker: string, during: Interval): number {
  const { outages } = world;
  const away = outages.reduce((ms, { from, to }) => ms + overlapMs({ from, to: to + RECONNECTS_MS }, during), 0);
  return awakeMs(world, worker, during) - waitedMs(world, worker, during) - away;
}

/** R28: a job ends as the last request says: cancelled, or complete. Only success beats a cancellation. */
export function endsAsAsked(job: JobStory): Breach[] {
  const { id, rows, runs, state } = job;
  const say = (message: string, evidence: readonly LedgerRow[]): Breach => ({
    rule: 'R28',
    job: id,
    message,
    evidence,
  });
  const breaches = runs.flatMap((run) => {
    const row = run.rows.find(({ type }) => type === 'cancel');
    if (!row) return [];
    const before = run.rows[run.rows.indexOf(row) - 1]?.at ?? row.at;
    if (mayHold(job, 'cancel', { from: before, to: row.at })) return [];
    const again =
      runs[0] !== run && runs.some((other) => other !== run && other.rows.some(({ type }) => type === 'cancel'));
    return again ? [] : [say(`run ${run.id} called "cancel", and no cancellation held`, run.rows.slice(-4))];
  });
  const wasCancelled = rows.some(({ type }) => type === 'cancel');
  if (state === 'cancelled' && !wasCancelled)
    breaches.push(say('the job is cancelled without a "cancel" hook', rows.slice(-4)));
  if (state === 'completed' && wasCancelled)
    breaches.push(say('the job completed after it was cancelled', rows.slice(-8)));
  return breaches;
}

/** Whether a request may have been the last one that was written, at some moment of the interval. */
export function mayHold({ requests }: JobStory, type: AskedOf['type'], during: Interval): boolean {
  return requests.some((request, index) => {
    if (request.type !== type || request.from > during.to) return false;
    const next = requests.slice(index + 1).find((later) => later.type !== 'tune');
    return !next || next.to >= during.from;
  });
}

/** R31, R34: a tuned rate is in force, and shown. */
export function keepsTunedRate(job: JobStory, world: World): Breach[] {
  const { id, items, itemsPerSecond, runs, state, tunings } = job;
  const last = tunings.at(-1)?.itemsPerSecond;
  const breaches: Breach[] = [];
  if ((state === 'completed' || state === 'cancelled') && 'itemsPerSecond' in job && itemsPerSecond !== last)
    breaches.push({
      rule: 'R31',
      job: id,
      message: `its status shows ${itemsPerSecond} items a second, not ${last}`,
      evidence: [],
    });
  const workers = new Map(runs.map((run) => [run.id, run.worker]));
  for (const [index, { itemsPerSecond: rate, to: tunedAt }] of tunings.entries()) {
    if (rate === undefined) continue;
    const until = tunings[index + 1]?.from ?? Infinity;
    const limited = items.filter(({ at, run }) => {
      const active = activeMs(world, workers.get(run) ?? '', { from: tunedAt, to: at });
      return at > tunedAt && at < until && active > IN_FORCE_MS;
    });
    const most = MOST * rate * (WINDOW_MS / 1_000) + 1;
    for (const [start, item] of limited.entries()) {
      const next = limited[start + Math.ceil(most)];
      if (!next || next.at - item.at > WINDOW_MS) continue;
      const message = `more than ${Math.floor(most)} items in ${Math.round(next.at - item.at)} ms at ${rate} items a second`;
      breaches.push({ rule: 'R31, R34', job: id, message, evidence: [item, next] });
      break;
    }
  }
  return breaches;
}

/** R28: what was answered is in the history of its job, over kills and outages. */
export function lostRequests(record: readonly RecordRow[]): Breach[] {
  const known = record.filter((row) => row.type === 'request');
  const jobs = new Set(record.flatMap((row) => (row.type === 'added' ? [row.job] : []))); // a part's history ends with it
  return record.flatMap((row) => {
    // A pause or a cancellation that held before, and a resume of a job that was not paused, change nothing.
    if (row.type !== 'answer' || row.outcome !== 'ok' || !(row.request === 'tune' || row.request === 'restart'))
      return [];
    const { askedAt, at, job, request } = row;
    if (!jobs.has(job)) return [];
    const later = known.filter((one) => one.job === job && Date.parse(one.request.at) > at);
    if (later.length >= KEPT_EVENTS) return []; // a busy machine looked at the history too late
    const isKept = known.some(
      (one) => one.job === job && one.request.type === request && isWithin(Date.parse(one.request.at), askedAt, at),
    );
    return isKept ? [] : [{ rule: 'R28', job, message: `the request to ${request} is lost`, evidence: [] }];
  });
}

function isWithin(at: number, from: number, to: number): boolean {
  return from <= at && at <= to;
}

function around(rows: readonly LedgerRow[], row: LedgerRow): readonly LedgerRow[] {
  const at = rows.indexOf(row);
  return [...rows.slice(0, 2), ...rows.slice(Math.max(2, at - 3), at + 3)];
}
