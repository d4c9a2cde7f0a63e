import { toTenths } from '../checkpoint/index.js';
import { ENDED, type IterationState, type IterationStatus } from './status.js';

const RUNNING: readonly IterationState[] = ['running', 'pausing', 'cancelling'];

/**
 * The status of a job with parts: how far they are together. Its size is known once each part has begun.
 *
 * @param parts Undefined: a part that was not added yet.
 */
export function sumOf(own: IterationStatus, parts: readonly (IterationStatus | undefined)[]): IterationStatus {
  const known = parts.filter((part) => part !== undefined);
  const partStates: Partial<Record<IterationState, number>> = {};
  for (const part of parts) {
    const state = part?.state ?? 'waiting';
    partStates[state] = (partStates[state] ?? 0) + 1;
  }
  const total = (of: (part: IterationStatus) => number) => known.reduce((sum, part) => sum + of(part), 0);
  const hasSizes = known.length === parts.length && known.every(({ size }) => size !== undefined);
  return {
    ...own,
    state: wholeState(own.state, known),
    processed: total(({ processed }) => processed),
    skipped: total(({ skipped }) => skipped),
    size: hasSizes ? total(({ size = 0 }) => size) : undefined,
    percent: percentOf(known, parts.length),
    stalls: own.stalls + total(({ stalls }) => stalls),
    itemsPerSecond:
      total(({ state, itemsPerSecond = 0 }) => (RUNNING.includes(state) ? itemsPerSecond : 0)) || undefined,
    overallItemsPerSecond: undefined,
    etaMs: ENDED.includes(own.state) ? undefined : etaOf(known, parts.length),
    runtimeMs: total(({ runtimeMs }) => runtimeMs),
    readingMs: total(({ readingMs }) => readingMs),
    handlingMs: total(({ handlingMs }) => handlingMs),
    partStates,
  };
}

/** While its parts are there to be run, the job is running. */
export function wholeState(own: IterationState, parts: readonly IterationStatus[]): IterationState {
  if (own === 'paused') return parts.some(({ state }) => RUNNING.includes(state)) ? 'pausing' : 'paused';
  return own === 'waiting' || own === 'interrupted' ? 'running' : own;
}

/** Each part counts the same, so the percentage never falls (R29): not when the size of one more part becomes known either. */
function percentOf(parts: readonly IterationStatus[], count: number): number | undefined {
  if (parts.every(({ percent }) => percent === undefined)) return undefined;
  return toTenths(parts.reduce((sum, { percent = 0 }) => sum + percent, 0) / count);
}

/** The running time that is left of all parts, divided among those that run now. A part that has not begun takes as long as others. */
function etaOf(parts: readonly IterationStatus[], count: number): number | undefined {
  const begun = parts.filter(({ etaMs }) => etaMs !== undefined);
  const running = parts.filter(({ state }) => RUNNING.includes(state)).length;
  if (begun.length === 0 || running === 0) return undefined;
  const left = begun.map(({ etaMs = 0 }) => etaMs);
  const each = begun.reduce((sum, { etaMs = 0, runtimeMs }) => sum + etaMs + runtimeMs, 0) / begun.length;
  const ended = parts.filter(({ etaMs, state }) => etaMs === undefined && ENDED.includes(state)).length;
  const waiting = count - begun.length - ended;
  const sum = left.reduce((one, other) => one + other, 0) + waiting * each;
  return Math.round(Math.max(sum / running, ...left));
}
