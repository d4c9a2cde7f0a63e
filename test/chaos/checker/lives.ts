import type { LedgerRow, PartedPlan, RecordRow } from '../ledger.js';
import {
  type AskedOf,
  groupBy,
  type ItemRow,
  isAct,
  type JobStory,
  type ParentStory,
  type PartStory,
  type Rules,
  type Run,
} from './story.js';

/** The lives of every job. */
export function jobsOf(
  ledger: readonly LedgerRow[],
  record: readonly RecordRow[],
  { exactlyOnce }: Pick<Rules, 'exactlyOnce'>,
): readonly (JobStory | ParentStory)[] {
  const rowsOf = groupBy(ledger, ({ job }) => job);
  const ofJob = groupBy(record.filter(isOfJob), ({ job }) => job);
  const cancelled = record.flatMap((row) =>
    row.type === 'answer' && row.request === 'cancel' && row.outcome !== 'refused' ? [row] : [],
  );
  const partsOf = groupBy(ledger.filter(isOfPart), ({ parent }) => parent);
  return record.flatMap((added) => {
    if (added.type !== 'added') return [];
    const { job, parted } = added;
    const own = { rows: rowsOf.get(job) ?? [], record: ofJob.get(job) ?? [] };
    if (!parted) return livesOf(added, { ...own, exactlyOnce });
    const parts = [...groupBy(partsOf.get(job) ?? [], (row) => row.job)].map(([id, rows]) => ({
      id,
      rows,
      record: ofJob.get(id) ?? [],
    }));
    return parentsOf({ ...added, parted }, { ...own, parts, cancelled });
  });
}

type Added = RecordRow & { readonly type: 'added' };

interface OfJob {
  readonly rows: readonly LedgerRow[];
  readonly record: readonly RecordRow[];
}

interface OfParts {
  readonly parts: readonly (OfJob & { readonly id: string })[];
  /** Cancellations of all jobs and parts. */
  readonly cancelled: readonly Answered[];
}

function parentsOf(
  added: Added & { readonly parted: PartedPlan },
  { cancelled, parts, record, rows }: OfJob & OfParts,
): readonly ParentStory[] {
  const { parted: plan, size } = added;
  const lives = livesOf(added, { rows, record, exactlyOnce: plan.exactlyOnce });
  const restarts = requestsOf(record).filter(({ type }) => type === 'restart');
  const began = (of: number) => restarts[of - 1]?.from ?? 0;
  const settled = record.filter((row) => row.type === 'settled');
  const isPart = new RegExp(`^${added.job}-\\d+-\\d+-part-`);
  return lives.map((life, number) => {
    const isOfLife = (from: number) => began(number) <= from && from < (restarts[number]?.from ?? Infinity);
    const bad = plan.then === 'skip' ? new Set(plan.bad) : life.bad;
    const story = { ...life, size, bad };
    return {
      ...story,
      plan,
      // One that was cancelled before its first run has no rows.
      isPartCancelledAlone: cancelled.some(({ askedAt, job }) => isPart.test(job) && isOfLife(askedAt)),
      parts: parts.filter(({ rows: [first] }) => isOfLife(first?.at ?? 0)).map((part) => partOf(part, story)),
      seen: record.flatMap((row) => (row.type === 'seen' && isOfLife(row.askedAt) && isOfLife(row.at) ? [row] : [])),
      endedAt: record.find((row) => row.type === 'settled' && isOfLife(row.at))?.at ?? Infinity,
      settled: number === lives.length - 1 ? settled.at(-1) : undefined,
    };
  });
}

function partOf({ id, record, rows }: OfJob & { readonly id: string }, parent: JobStory): PartStory {
  const items = itemsOf(rows);
  const outcome = rows.findLast(({ type }) => type === 'end')?.detail;
  const own = record.filter((row): row is Answered => row.type === 'answer' && row.outcome !== 'refused');
  return {
    ...parent,
    id,
    index: rows[0]?.part ?? 0,
    first: items.reduce((least, { first }) => Math.min(least, first), Infinity),
    rows,
    items,
    runs: runsOf(rows),
    state: outcome ?? 'unknown',
    attemptsMade: 0,
    own: own.map(({ at, askedAt, outcome, request }) => ({
      type: request,
      from: askedAt,
      to: outcome === 'ok' || request === 'resume' ? at : Infinity, // perhaps it was never written
    })),
    tunings: own.some(({ request }) => request === 'tune') ? [] : parent.tunings,
  };
}

function isOfPart(row: LedgerRow): row is LedgerRow & { readonly parent: string } {
  return typeof row.parent === 'string';
}

function livesOf(
  { job: id, size }: Added,
  { exactlyOnce, record, rows }: OfJob & { readonly exactlyOnce: boolean },
): readonly JobStory[] {
  const requests = requestsOf(record);
  const restarts = requests.filter(({ type }) => type === 'restart');
  const begins = new Map([...groupBy(rows, ({ run }) => run)].map(([run, [first]]) => [run, first?.at ?? 0]));
  const lifeOf = (row: LedgerRow) => restarts.filter(({ from }) => from <= (begins.get(row.run) ?? 0)).length;
  const ended = record.findLast((row) => row.type === 'settled' || row.type === 'unsettled');
  let attempts = ended?.type === 'settled' ? ended.attemptsMade : 0;
  return Array.from({ length: restarts.length + 1 }, (_, life) => {
    const own = rows.filter((row) => lifeOf(row) === life);
    const runs = runsOf(own);
    const isLast = life === restarts.length;
    const from = life === 0 ? 0 : requests.indexOf(restarts[life - 1] as AskedOf) + 1;
    const to = isLast ? requests.length : requests.indexOf(restarts[life] as AskedOf);
    // Every life but the last one has ended, after an attempt for each of its errors at most, and one more.
    attempts -= isLast ? 0 : 1 + runs.reduce((sum, { errors }) => sum + errors.length, 0);
    return {
      id: life === 0 ? id : `${id}, restart ${life}`,
      size,
      first: 0,
      exactlyOnce,
      bad: new Set<number>(),
      rows: own,
      runs,
      items: itemsOf(own),
      state: isLast ? (ended && 'state' in ended ? ended.state : 'unknown') : stateBefore(restarts[life], record),
      attemptsMade: isLast ? attempts : 0,
      requests: requests.slice(from, to),
      tunings: requests.slice(0, to).filter(({ type }) => type === 'tune'),
      ...(isLast && ended?.type === 'settled' && { itemsPerSecond: ended.itemsPerSecond }),
    };
  });
}

type Requested = RecordRow & { readonly type: 'request' };
type Answered = RecordRow & { readonly type: 'answer' };

function requestsOf(record: readonly RecordRow[]): readonly AskedOf[] {
  return record
    .filter((row): row is Requested => row.type === 'request')
    .map(({ at: seenAt, request: { type, at, settings, by } }) => {
      const from = Date.parse(at);
      const answer = record.find((row): row is Answered => {
        if (row.type !== 'answer' || row.request !== type || row.outcome !== 'ok') return false;
        return by === undefined ? row.askedAt <= from && from <= row.at : row.by === by;
      });
      return {
        type,
        from,
        to: Math.min(seenAt, answer?.at ?? Infinity),
        itemsPerSecond: settings?.itemsPerSecond ?? undefined,
      };
    });
}

/** How a job had ended when an operator restarted it. */
function stateBefore(restart: AskedOf | undefined, record: readonly RecordRow[]): string {
  const { from = 0, to = 0 } = restart ?? {};
  const answer = record.find(
    (row): row is Answered => row.type === 'answer' && row.request === 'restart' && row.askedAt <= from && to <= row.at,
  );
  return answer?.before ?? 'unknown';
}

function isOfJob(row: RecordRow): row is RecordRow & { readonly job: string } {
  return 'job' in row;
}

/**
 * Runs ordered by their first act. A process that froze before `build` may write it long after the next run has begun.
 */
function actingRuns(rows: readonly LedgerRow[]): readonly (readonly LedgerRow[])[] {
  const firstAct = (ofRun: readonly LedgerRow[]) => ofRun.find(isAct)?.seq ?? Infinity;
  return [...groupBy(rows, ({ run }) => run).values()]
    .filter((ofRun) => ofRun.some(isAct))
    .sort((one, other) => firstAct(one) - firstAct(other));
}

function runsOf(rows: readonly LedgerRow[]): readonly Run[] {
  return actingRuns(rows).map((ofRun, index, all) => runOf(ofRun, all[index + 1]));
}

function runOf(all: readonly LedgerRow[], next: readonly LedgerRow[] | undefined): Run {
  const rows = all.filter(({ type }) => type !== 'lost');
  const of = (...types: LedgerRow['type'][]) => rows.filter(({ type }) => types.includes(type));
  const { run: id, worker } = rows[0] as LedgerRow;
  return {
    id,
    worker,
    rows,
    items: itemsOf(rows),
    errors: of('error'),
    beginnings: of('start', 'resume'),
    ends: of('end'),
    lostAt: all.find(({ type }) => type === 'lost')?.at,
    nextAt: next?.find(isAct)?.at ?? Infinity,
  };
}

function itemsOf(rows: readonly LedgerRow[]): readonly ItemRow[] {
  return rows.filter((row): row is ItemRow => row.type === 'item');
}
