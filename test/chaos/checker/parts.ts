import type { LedgerRow } from '../ledger.js';
import { isDisturbed } from './hooks.js';
import { type Breach, excuseOf, isAct, mayHaveLostLock, type PartStory, type Run, type World } from './story.js';

/** What a part's hooks may be: `start` and the end of the job are those of the job itself. */
const HOOKS: readonly LedgerRow['type'][] = ['resume', 'interrupt', 'end'];

/** R11, R27: a part calls the hooks of its runs, and none of its job's. */
export function callsHooksOfPart(part: PartStory, world: World): Breach[] {
  const say = (rule: string, message: string, evidence: readonly LedgerRow[]): Breach => ({
    rule,
    job: part.id,
    message,
    evidence,
  });
  const foreign = part.rows.filter((row) => isAct(row) && !['item', 'error', ...HOOKS].includes(row.type));
  return [
    ...foreign.map((row) => say('R27', `part ${part.index} called "${row.type}", which is its job's`, [row])),
    ...part.runs.flatMap((run) => begins(run, part, say)),
    ...part.runs.flatMap((run) => ends(run, { part, world }, say)),
  ];
}

type Say = (rule: string, message: string, evidence: readonly LedgerRow[]) => Breach;

/** Without a `start` of its own, a run before may have left nothing but its `build`. */
function begins(run: Run, { rows: all, runs }: PartStory, say: Say): Breach[] {
  const { beginnings, id, items, rows } = run;
  const acts = rows.filter(isAct);
  const [beginning] = beginnings;
  const before = runs.slice(0, runs.indexOf(run));
  const wasInterrupted = before.some((other) => other.rows.some(({ type }) => type === 'interrupt'));
  const isWrong = beginning
    ? beginnings.length > 1 || beginning !== acts[0] || all[0]?.run === id
    : wasInterrupted && items.length > 0;
  const began = acts.slice(0, 3).map(({ type }) => type);
  return isWrong ? [say('R11', `run ${id} began with ${began}`, rows.slice(0, 5))] : [];
}

/** `end` is called once and last. Only a disturbance may end a run without it. */
function ends(run: Run, { part, world }: { readonly part: PartStory; readonly world: World }, say: Say): Breach[] {
  const { id, rows } = run;
  const last = rows.slice(-4);
  const [end] = run.ends;
  if (!end) {
    if (excuseOf(run, world)) return [];
    const message = run.lostAt === undefined ? 'ended without "end"' : 'lost its lock';
    return [say('R11, R14, R20', `run ${id} ${message}, and nothing was done to it`, last)];
  }
  if (run.ends.length > 1 || rows.at(-1) !== end) return [say('R11', `"end" of run ${id} is not its last event`, last)];
  const breaches: Breach[] = [];
  const before = rows.at(-2)?.type;
  const expected = { interrupt: 'interrupt', retry: 'error', fail: 'error' }[end.detail ?? ''];
  if (expected && before !== expected)
    breaches.push(say('R11', `run ${id} ended with ${end.detail} after ${before}`, last));
  const reason = rows.find(({ type }) => type === 'interrupt')?.detail;
  if (reason === 'shutdown' && world.workers.get(run.worker)?.termedAt === undefined)
    breaches.push(say('R5', `run ${id} was interrupted by a shutdown that nobody requested`, last));
  const asked = [...part.requests, ...part.own].filter(({ from }) => from <= end.at).map(({ type }) => type);
  if (reason === 'pause' && !asked.includes('pause'))
    breaches.push(say('R28', `run ${id} was interrupted by a pause that nobody asked for`, last));
  if (end.detail === 'cancel' && !asked.includes('cancel'))
    breaches.push(say('R28', `run ${id} was cancelled, and nobody asked for it`, last));
  return breaches;
}

/** A cancellation that is withdrawn reaches a running part within two seconds (R28). */
const WITHDRAWN_MS = 2_000;

/**
 * R27: a part that has ended is never run again: BullMQ may have missed its end only after a disturbance. A part that was cancelled
 * with its job is, once the cancellation is withdrawn: `resume` may come before all parts have ended by it.
 */
export function endsOnce({ id, index, requests, runs }: PartStory, world: World): Breach[] {
  return runs.flatMap((run, at) => {
    const endedAt = run.ends.find(({ detail }) => detail === 'cancel')?.at;
    if (endedAt !== undefined && requests.some(({ type, from }) => type === 'resume' && from > endedAt - WITHDRAWN_MS))
      return [];
    const end = run.ends.find(({ detail }) => detail === 'complete' || detail === 'cancel' || detail === 'fail');
    const later = runs.slice(at + 1);
    const [next] = later;
    if (!end || !next) return [];
    const handled = later.some(({ items }) => items.length > 0);
    const hasFrozen = later.every(
      ({ lostAt, rows }) => lostAt !== undefined || rows.every((row) => mayHaveLostLock(row, world)), // it had begun before
    );
    const isUnreported = isDisturbed(end, world) || mayHaveLostLock(end, world) || run.lostAt !== undefined;
    if (!handled && (hasFrozen || isUnreported)) return [];
    const message = `part ${index} ran again${handled ? ', and handled items,' : ''} after it had ended: ${end.detail}`;
    return [{ rule: 'R27', job: id, message, evidence: [...run.rows.slice(-3), ...next.rows.slice(0, 4)] }];
  });
}
