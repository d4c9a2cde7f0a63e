import { ITERATION_STATES, type IterationRun, type IterationStatus } from '../control/index.js';
import type { DeadLetter } from '../dead-letters/index.js';
import { durationText, type Row, shortened } from './text.js';

/** A job in a list. */
export function jobRow(status: IterationStatus): Row {
  const { etaMs, id, itemsPerSecond, name, percent, processed, skipped, state } = status;
  return {
    id,
    name,
    state,
    percent: percent === undefined ? '-' : `${percent}%`,
    processed: String(processed),
    skipped: String(skipped),
    'items/s': rateText(itemsPerSecond) ?? '-',
    eta: etaMs === undefined ? '-' : durationText(etaMs),
    note: shortened(noteOf(status)),
  };
}

/** Why a job is as it is. */
function noteOf({ failedReason, lastInterruption, partStates, request, state }: IterationStatus): string {
  if (failedReason) return failedReason;
  if (request) return requestText(request);
  if (partStates) return partsText(partStates);
  return state === 'interrupted' && lastInterruption ? interruptionText(lastInterruption) : '';
}

/** All that is known of one job. */
export function jobSheet(status: IterationStatus): Readonly<Record<string, string | undefined>> {
  const { etaMs, failures, interruptions, lastInterruption, percent, processed, request, settings, size } = status;
  const { cursor, failedReason, handlingMs, id, name, part, partStates, queue, readingMs, run } = status;
  const { runtimeMs, skipped, stalls, state } = status;
  return {
    job: id,
    queue,
    name,
    state,
    request: request && `${requestText(request)} at ${request.at}`,
    failed: failedReason,
    progress: `${processed}${size === undefined ? '' : ` of ${size}`} items${percent === undefined ? '' : `, ${percent}%`}`,
    part: part && `${part.index} of job ${part.of}`,
    parts: partStates && partsText(partStates),
    skipped: skipped > 0 ? `${skipped} items (see dead-letters)` : undefined,
    cursor: JSON.stringify(cursor),
    rate: rateText(status.itemsPerSecond) && `${rateText(status.itemsPerSecond)} items/s`,
    eta: etaMs === undefined ? undefined : durationText(etaMs),
    runs: `${run}, ${interruptions} of them interrupted`,
    stalls: stalls > 0 ? `${stalls}: a worker was killed, or lost its lock` : undefined,
    'last interruption': lastInterruption && interruptionText(lastInterruption),
    failures: failures > 0 ? `${failures} at this cursor` : undefined,
    time: `${durationText(runtimeMs)} (reading ${durationText(readingMs)}, handling ${durationText(handlingMs)})`,
    worker: status.worker,
    settings: Object.entries(settings)
      .map(([setting, value]) => `${setting} ${value}`)
      .join(', '),
  };
}

export function runRow({ endedAt, interruption, items, outcome, run, startedAt, worker }: IterationRun): Row {
  return {
    run: String(run),
    started: startedAt,
    ended: endedAt ?? '-',
    items: String(items),
    outcome: outcome ?? 'running',
    why: interruption ? shortened(interruptionText(interruption)) : '',
    worker,
  };
}

export function letterRow({ at, cursor, error, summary, tries }: DeadLetter): Row {
  return {
    at,
    cursor: JSON.stringify(cursor),
    tries: String(tries),
    error: shortened(`${error.name}: ${error.message}`),
    item: shortened(summary),
  };
}

/** `12 parts: 8 completed, 3 running, 1 failed`, in the order of the states of a job's life. */
function partsText(partStates: NonNullable<IterationStatus['partStates']>): string {
  const counts = ITERATION_STATES.flatMap((state) => (partStates[state] ? [`${partStates[state]} ${state}`] : []));
  const total = Object.values(partStates).reduce((sum, count) => sum + count, 0);
  return `${total} ${total === 1 ? 'part' : 'parts'}: ${counts.join(', ')}`;
}

function requestText({ by, reason, type }: NonNullable<IterationStatus['request']>): string {
  return `${type}${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`;
}

function interruptionText({ detail, reason }: NonNullable<IterationRun['interruption']>): string {
  return detail ? `${reason}: ${detail}` : reason;
}

function rateText(rate: number | undefined): string | undefined {
  return rate === undefined ? undefined : String(Number(rate.toPrecision(3)));
}
