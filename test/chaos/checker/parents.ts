import type { LedgerRow } from '../ledger.js';
import { isDisturbed } from './hooks.js';
import { type Breach, isAct, mayHaveLostLock, type ParentStory, type PartStory, type World } from './story.js';

/** A job may wait this long after its last part has ended. */
const SETTLES_MS = 10_000;

/** R27: a job completes, or is cancelled as it was asked, or fails as a part of it did. */
export function endsAsPlanned(parent: ParentStory): Breach[] {
  const { parts, plan, requests, rows, settled, state } = parent;
  const wasAskedToCancel = requests.some(({ type }) => type === 'cancel');
  const isAnyBad = plan.then !== 'skip' && plan.bad.length > 0;
  const hasFailedPart = isAnyBad || wasAskedToCancel || parent.isPartCancelledAlone;
  const last = requests.findLast(({ type }) => type !== 'tune');
  const say = (message: string, evidence: readonly LedgerRow[] = rows.slice(-6)) => [
    breach(parent, 'R27', message, evidence),
  ];
  switch (state) {
    case 'completed': {
      if (plan.then === 'fail' && plan.bad.length > 0) return say('the job completed, and a part of it cannot');
      if (!settled) return [];
      const failed = settled.failedParts ?? [];
      const unnamed = parts.filter(({ id, state }) => (state === 'cancel' || state === 'fail') && !failed.includes(id));
      if (unnamed.length > 0)
        return say(
          `the job completed, and does not name part ${unnamed[0]?.index} that failed`,
          unnamed[0]?.rows.slice(-4),
        );
      if (plan.then === 'continue' && plan.bad.length > 0 && failed.length === 0)
        return say('the job completed, and names no part that failed');
      return failed.length > 0 && (plan.then !== 'continue' || !hasFailedPart)
        ? say(`the job completed, and names ${failed.length} parts that failed`)
        : [];
    }
    case 'cancelled':
      return wasAskedToCancel ? [] : say('the job is cancelled, and nobody asked for it');
    case 'failed':
      if (plan.then === 'continue' || !hasFailedPart) return say('the job failed');
      return last?.type === 'cancel' && rows.some(({ at, type }) => type === 'fail' && at > last.to + SETTLES_MS)
        ? say('the job failed after it was cancelled')
        : [];
    default:
      return say(
        `the job is ${state}, not completed`,
        [...rows, ...parts.flatMap((part) => part.rows.slice(-1))].slice(-12),
      );
  }
}

/** R1, R25, R27: the parts have each record of the job, and no record is of two parts. */
export function handlesEachRecord(parent: ParentStory): Breach[] {
  const { bad, parts, plan, settled, size, state } = parent;
  const owners = new Map<number, number>();
  const breaches: Breach[] = [];
  for (const { index, items } of parts) {
    for (const item of items) {
      const owner = owners.get(item.first) ?? index;
      owners.set(item.first, owner);
      if (owner === index && item.first < size) continue;
      const message = owner === index ? 'of none' : `of the parts ${owner} and ${index}`;
      breaches.push(breach(parent, 'R27', `record ${item.first} is ${message}`, [item]));
    }
  }
  if (state !== 'completed' || !(settled || plan.then !== 'continue')) return breaches;
  const failed = parts.filter(({ id }) => settled?.failedParts?.includes(id));
  if (failed.length < (settled?.failedParts?.length ?? 0)) return breaches; // one of them handled nothing
  const lost = Array.from({ length: size }, (_, at) => at).filter((at) => !owners.has(at) && !bad.has(at));
  const isOfFailed = failed.length > 0; // what it has left is not known
  if (lost.length > 0 && !isOfFailed)
    breaches.push(breach(parent, 'R1, R27', `${lost.length} of ${size} records are lost: ${lost.slice(0, 10)}`, []));
  return breaches;
}

/** R27: the parts of a life are made once, and each is one job. */
export function splitsOnce(parent: ParentStory, world: World): Breach[] {
  const { parts, rows } = parent;
  const splits = rows.filter(({ type }) => type === 'split');
  const again = splits.filter((row, index) => {
    const later = splits.slice(index + 1);
    const isLast = later.every((other) => mayHaveLostLock(other, world)); // it had begun before
    return !isLast && !mayBeRepeated(row, world);
  });
  const breaches =
    again.length > 0
      ? [breach(parent, 'R27', 'the job was split again, and nothing was done to the run before', splits)]
      : [];
  const count = Number(splits.at(-1)?.detail ?? 0);
  const byIndex = new Map<number, PartStory>();
  for (const part of parts) {
    const other = byIndex.get(part.index);
    byIndex.set(part.index, part);
    if (other)
      breaches.push(
        breach(parent, 'R27', `part ${part.index} is two jobs: ${other.id} and ${part.id}`, part.rows.slice(0, 2)),
      );
    if (part.index >= count)
      breaches.push(breach(parent, 'R27', `part ${part.index} is none of ${count} parts`, part.rows.slice(0, 2)));
  }
  return breaches;
}

/** R11, R27: `start` once before the parts, then `complete`, `cancel` or `fail`, as the job ended. Twice only around a disturbance. */
export function callsHooksOfParent(parent: ParentStory, world: World): Breach[] {
  const { parts, rows, state } = parent;
  const of = (wanted: LedgerRow['type']) => rows.filter(({ type }) => type === wanted);
  const breaches: Breach[] = [];
  for (const type of ['start', 'complete', 'cancel', 'fail'] as const) {
    const again = of(type)
      .slice(0, -1)
      .filter((row) => !mayBeRepeated(row, world));
    if (again.length > 0)
      breaches.push(
        breach(parent, 'R11', `"${type}" was called again, and nothing was done to the run before`, of(type)),
      );
  }
  const [start] = of('start');
  const begun = [...parts.flatMap((part) => part.rows.slice(0, 1)), ...of('complete')];
  const early = begun.find(({ seq }) => !start || seq < start.seq);
  if (early) breaches.push(breach(parent, 'R11', `${early.type} of ${early.job} came before "start"`, [early]));
  const hook = ({ completed: 'complete', cancelled: 'cancel', failed: 'fail' } as const)[state];
  if (hook && of(hook).length === 0)
    breaches.push(breach(parent, 'R11', `the job is ${state} without "${hook}"`, rows.slice(-5)));
  const other = of(hook === 'cancel' ? 'complete' : 'cancel');
  if (hook && hook !== 'complete' && other.some(({ type }) => type === 'complete'))
    breaches.push(breach(parent, 'R11', `the job is ${state}, and called "complete"`, rows.slice(-5)));
  return breaches;
}

/** R27: when the job ends, every part has ended. */
export function settlesLast(parent: ParentStory, world: World): Breach[] {
  const settle = parent.rows.find(({ type }) => type === 'complete' || type === 'cancel' || type === 'fail');
  if (!settle) return [];
  return parent.parts.flatMap(({ index, runs }) => {
    // An item or a hook of a run that has lost its lock may be in flight.
    const last = runs.filter(({ lostAt }) => lostAt === undefined).at(-1);
    const acts = last?.rows.filter((row) => isAct(row) && row.seq > settle.seq) ?? [];
    const late = acts.filter((row) => !mayHaveLostLock(row, world)); // a process may thaw after its part has ended
    if (late.length === 0) return [];
    const message = `"${settle.type}" was called before part ${index} had ended`;
    return [breach(parent, 'R27', message, [settle, ...late.slice(0, 4)])];
  });
}

/** R29: the percent never falls, and is never unknown again. Nor does the number of processed items. */
export function showsProgress(parent: ParentStory): Breach[] {
  let most = { percent: null as number | null, processed: 0 };
  for (const { at, percent, processed } of parent.seen) {
    if (most.percent !== null && (percent === null || percent < most.percent))
      return [breach(parent, 'R29', `its percent fell from ${most.percent} to ${percent} at ${timeOf(at)}`, [])];
    if (processed < most.processed)
      return [
        breach(parent, 'R29', `its processed items fell from ${most.processed} to ${processed} at ${timeOf(at)}`, []),
      ];
    most = { percent, processed };
  }
  return [];
}

/** R27: BullMQ lets the job run when its parts have ended. It is seen often while it does not. */
export function waitsForPartsOnly(parent: ParentStory): Breach[] {
  let since: number | undefined;
  for (const { at, open, waits } of parent.seen) {
    if (!waits || open > 0) {
      since = undefined;
      continue;
    }
    since ??= at;
    if (at - since >= SETTLES_MS)
      return [breach(parent, 'R27', `the job waited for its parts ${at - since} ms after the last had ended`, [])];
  }
  return [];
}

/** R27: what the job has processed is what its parts have. */
export function countsItsParts(parent: ParentStory): Breach[] {
  const { bad, parts, settled, size, state } = parent;
  if (settled?.processed === undefined) return [];
  const { failedParts = [], processed, skipped = 0 } = settled;
  const handled = new Set(parts.flatMap(({ items }) => items.map(({ first }) => first))).size;
  const isExact = state === 'completed' && failedParts.length === 0; // of a cancelled part, its last items may not be saved
  const isWrong = isExact ? processed !== handled : processed > handled;
  const breaches = isWrong
    ? [breach(parent, 'R27', `the job says that it processed ${processed} items, and its parts handled ${handled}`, [])]
    : [];
  if (isExact && processed + skipped !== size)
    breaches.push(breach(parent, 'R27', `the job processed ${processed} and skipped ${skipped} of ${size} items`, []));
  if (skipped > bad.size)
    breaches.push(breach(parent, 'R24', `the job skipped ${skipped} items, and ${bad.size} are bad`, []));
  return breaches;
}

/** What followed may have been cut off, or the run lost its lock on a busy machine. */
function mayBeRepeated(row: LedgerRow, world: World): boolean {
  return isDisturbed(row, world) || mayHaveLostLock(row, world);
}

function breach({ id }: ParentStory, rule: string, message: string, evidence: readonly LedgerRow[]): Breach {
  return { rule, job: id, message, evidence };
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
