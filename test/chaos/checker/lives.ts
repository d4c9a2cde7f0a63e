import type { LedgerRow, RecordRow } from '../ledger.js';
import { type AskedOf, groupBy, type ItemRow, isAct, type JobStory, type Run } from './story.js';

/** The lives of every job. */
export function jobsOf(ledger: readonly LedgerRow[], record: readonly RecordRow[]): readonly JobStory[] {
  const rowsOf = groupBy(ledger, ({ job }) => job);
  const ofJob = groupBy(record.filter(isOfJob), ({ job }) => job);
  return record.flatMap((added) => {
    if (added.type !== 'added') return [];
    return livesOf(added, rowsOf.get(added.job) ?? [], ofJob.get(added.job) ?? []);
  });
}

function livesOf(
  { job: id, size }: RecordRow & { readonly type: 'added' },
  rows: readonly LedgerRow[],
  record: readonly RecordRow[],
): readonly JobStory[] {
  const requests = requestsOf(record);
  const restarts = requests.filter(({ type }) => type === 'restart');
  const begins = new Map([...groupBy(rows, ({ run }) => run)].map(([run, [first]]) => [run, first?.at ?? 0]));
  const lifeOf = (row: LedgerRow) => restarts.filter(({ from }) => from <= (begins.get(row.run) ?? 0)).length;
  const ended = record.findLast((row) => row.type === 'settled' || row.type === 'unsettled');
  let attempts = ended?.type === 'settled' ? ended.attemptsMade : 0;
  return Array.from({ length: restarts.length + 1 }, (_, life) => {
    const own = rows.filter((row) => lifeOf(row) === life);
    const runs = actingRuns(own).map((ofRun, index, all) => runOf(ofRun, all[index + 1]));
    const isLast = life === restarts.length;
    const from = life === 0 ? 0 : requests.indexOf(restarts[life - 1] as AskedOf) + 1;
    const to = isLast ? requests.length : requests.indexOf(restarts[life] as AskedOf);
    // Every life but the last one has ended, after an attempt for each of its errors at most, and one more.
    attempts -= isLast ? 0 : 1 + runs.reduce((sum, { errors }) => sum + errors.length, 0);
    return {
      id: life === 0 ? id : `${id}, restart ${life}`,
      size,
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
