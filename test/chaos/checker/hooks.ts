import type { LedgerRow } from '../ledger.js';
import { type Breach, excuseOf, isAct, type JobStory, overlapMs, type Run, type World, waitedMs } from './story.js';

/** R11: each hook is called when it must be, and only then. */
export function callsHooks(job: JobStory, world: World): Breach[] {
  const say = (rule: string, message: string, evidence: readonly LedgerRow[]): Breach => ({
    rule,
    job: job.id,
    message,
    evidence,
  });
  return [
    ...job.runs.flatMap((run) => begins(run, say)),
    ...job.runs.flatMap((run) => ends(run, { job, world }, say)),
    ...startsOnce(job, world, say),
    ...completesOnce(job, world, say),
  ];
}

export type Say = (rule: string, message: string, evidence: readonly LedgerRow[]) => Breach;

/** `start` or `resume`, once, before anything else. */
function begins({ id, rows, beginnings }: Run, say: Say): Breach[] {
  const acts = rows.filter(isAct);
  if (acts.length === 0 || (beginnings.length === 1 && acts[0] === beginnings[0])) return [];
  // a job that was cancelled, or whose builder failed, ends without a start
  if (beginnings.length === 0 && acts.every(({ type }) => type === 'end' || type === 'fail' || type === 'cancel'))
    return [];
  return [say('R11', `run ${id} began with ${acts.slice(0, 3).map(({ type }) => type)}`, acts.slice(0, 5))];
}

/**
 * `end` is called once and last, with the outcome of the hook before it. Only a disturbance may end a run without it.
 */
function ends(run: Run, { job, world }: { readonly job: JobStory; readonly world: World }, say: Say): Breach[] {
  const { id, rows } = run;
  const last = rows.slice(-4);
  const breaches = rows
    .filter(({ type }) => type === 'fail')
    .map((row) => say('R11', `run ${id} called ${row.type}: ${row.detail}`, last));
  const end = run.ends[0];
  if (!end) {
    const excuse = run.beginnings.length === 0 || excuseOf(run, world);
    if (excuse) return breaches;
    if (run.lostAt !== undefined)
      return [...breaches, say('R20', `run ${id} lost its lock, and nothing kept its worker from renewing it`, last)];
    return [...breaches, say('R11, R14', `run ${id} ended without "end", and nothing was done to it`, last)];
  }
  if (run.ends.length > 1 || rows.at(-1) !== end)
    return [...breaches, say('R11', `"end" of run ${id} is not its last event`, last)];
  const before = rows.at(-2)?.type;
  const expected = { complete: 'complete', interrupt: 'interrupt', retry: 'error', cancel: 'cancel' }[end.detail ?? ''];
  if (before !== expected) breaches.push(say('R11', `run ${id} ended with ${end.detail} after ${before}`, last));
  const reason = rows.find(({ type }) => type === 'interrupt')?.detail;
  if (reason === 'shutdown' && world.workers.get(run.worker)?.termedAt === undefined)
    breaches.push(say('R5', `run ${id} was interrupted by a shutdown that nobody requested`, last));
  const asked = job.requests.filter(({ from }) => from <= end.at).map(({ type }) => type);
  if ((reason === 'pause' || reason === 'cancel') && !asked.includes(reason))
    breaches.push(say('R28', `run ${id} was interrupted by a ${reason} that nobody asked for`, last));
  return breaches;
}

/** `start` is repeated only after a run that died before its first checkpoint; `resume` comes only after a `start`. */
function startsOnce({ runs }: JobStory, world: World, say: Say): Breach[] {
  const breaches: Breach[] = [];
  let started: Run | undefined;
  for (const run of runs) {
    const beginning = run.beginnings[0];
    if (beginning?.type === 'resume' && !started)
      breaches.push(say('R11', `run ${run.id} called "resume" without a "start" before`, run.rows.slice(0, 3)));
    if (beginning?.type !== 'start') continue;
    if (started) {
      const excuse = excuseOf(started, world);
      const saved = started.items.length > 0 && excuse !== 'outage';
      if (saved || !excuse || started.ends.length > 0)
        breaches.push(
          say('R11', `run ${run.id} called "start" again after ${started.id}`, [
            ...started.rows.slice(0, 4),
            ...run.rows.slice(0, 3),
          ]),
        );
    }
    started = run;
  }
  return breaches;
}

/** A disturbance this soon after `complete` may keep the result from BullMQ; later, if the worker was kept waiting. */
const SETTLING_MS = 5_000;

/** `complete` is called after the last record; again only after a disturbance before BullMQ had the result. */
function completesOnce({ items, rows, runs, size, state }: JobStory, world: World, say: Say): Breach[] {
  const completes = rows.filter(({ type }) => type === 'complete');
  const [first] = completes;
  if (!first) return state === 'completed' ? [say('R11', 'the job completed without "complete"', rows.slice(-5))] : [];
  const breaches: Breach[] = [];
  const done = new Set(items.filter(({ seq }) => seq < first.seq).flatMap(({ first, last }) => range(first, last)));
  if (done.size < size)
    breaches.push(
      say('R11', `"complete" was called after ${done.size} of ${size} records`, [...items.slice(-4), first]),
    );
  const after = runs.filter((run) => (run.rows[0] as LedgerRow).seq > first.seq && run.items.length > 0);
  if (after.length > 0)
    breaches.push(
      say('R11', 'items were handled after "complete"', [first, ...after.flatMap(({ rows }) => rows.slice(0, 4))]),
    );
  for (const complete of completes.slice(0, -1)) {
    const run = runs.find(({ id }) => id === complete.run);
    const lost = run?.lostAt !== undefined && excuseOf(run, world) === 'busy machine';
    if (!lost && !isDisturbed(complete, world))
      breaches.push(say('R11', '"complete" was called again, and nothing was done to the run before', completes));
  }
  return breaches;
}

/** Whether what followed this event may have been cut off. */
export function isDisturbed({ at, worker }: LedgerRow, world: World): boolean {
  const { outages, workers } = world;
  const { killedAt = Infinity, freezes = [] } = workers.get(worker) ?? {};
  const waited = waitedMs(world, worker, { from: at, to: Math.min(killedAt, at + 10 * SETTLING_MS) });
  const settling = { from: at - 1, to: at + SETTLING_MS + waited };
  return killedAt < settling.to || [...freezes, ...outages].some((interval) => overlapMs(interval, settling) > 0);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
}
