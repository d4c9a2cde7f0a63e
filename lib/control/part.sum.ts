import type { IterationState, IterationStatus } from './status.js';

const ENDED: readonly IterationState[] = ['completed', 'failed', 'cancelled'];

/**
 * The status of a job with parts: how far they are together. Parts that were not added yet are unknown: so are the size, the
 * percent and the time left, until each part has begun.
 */
export function sumOf(own: IterationStatus, parts: readonly IterationStatus[], count: number): IterationStatus {
  const partStates: Partial<Record<IterationState, number>> = {};
  for (const { state } of parts) partStates[state] = (partStates[state] ?? 0) + 1;
  if (parts.length < count) partStates.waiting = (partStates.waiting ?? 0) + count - parts.length;
  const total = (of: (part: IterationStatus) => number | undefined) =>
    parts.reduce((sum: number | undefined, part) => {
      const value = of(part);
      return sum === undefined || value === undefined ? undefined : sum + value;
    }, 0);
  const isKnown = parts.length === count;
  const size = isKnown ? total((part) => part.size) : undefined;
  const processed = total((part) => part.processed) as number;
  const skipped = total((part) => part.skipped) as number;
  const running = parts.filter(({ state }) => !ENDED.includes(state));
  const itemsPerSecond = running.reduce((sum, part) => sum + (part.itemsPerSecond ?? 0), 0) || undefined;
  const left = size === undefined ? undefined : Math.max(0, size - processed - skipped);
  const isEnded = ENDED.includes(own.state);
  return {
    ...own,
    state: own.state === 'waiting' || own.state === 'interrupted' ? 'running' : own.state,
    processed,
    skipped,
    size,
    percent: size === undefined ? undefined : size === 0 ? 100 : Math.floor(((processed + skipped) / size) * 100),
    itemsPerSecond,
    overallItemsPerSecond: undefined,
    etaMs: isEnded || left === undefined || !itemsPerSecond ? undefined : Math.round((left / itemsPerSecond) * 1_000),
    runtimeMs: total((part) => part.runtimeMs) as number,
    readingMs: total((part) => part.readingMs) as number,
    handlingMs: total((part) => part.handlingMs) as number,
    partStates,
  };
}
