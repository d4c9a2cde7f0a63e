import { randomOf } from '../support/random.js';

/** A disturbance of a worker or of Redis, and its time in milliseconds since the beginning. */
export type Disturbance = { readonly atMs: number } & (
  | { readonly type: 'kill' | 'term'; readonly slot: number }
  | { readonly type: 'freeze'; readonly slot: number; readonly forMs: number }
  | { readonly type: 'restart'; readonly signal: 'SIGTERM' | 'SIGKILL'; readonly forMs: number }
);

export interface ScheduleOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly slots: number;
  /** Average milliseconds between two disturbances of a kind; `Infinity`: none. */
  readonly every: Readonly<Record<Disturbance['type'], number>>;
  readonly freezeMs: Range;
  /** How long Redis is down. */
  readonly outageMs: Range;
}

type Range = readonly [least: number, most: number];

/**
 * The disturbances of a seed, in order. Each kind has its own random numbers, so that its rate does not move other
 * kinds.
 */
export function schedule({
  seed,
  durationMs,
  slots,
  every,
  freezeMs,
  outageMs,
}: ScheduleOptions): readonly Disturbance[] {
  const of = (kind: number, type: Disturbance['type'], disturb: (random: () => number) => object) => {
    const random = randomOf(seed * 4 + kind);
    const disturbances: Disturbance[] = [];
    // from half to one and a half times the average, so that each minute has about the same number
    for (let atMs = gap(random, every[type]); atMs < durationMs; atMs += gap(random, every[type]))
      disturbances.push({ atMs, type, ...disturb(random) } as Disturbance);
    return disturbances;
  };
  const slot = (random: () => number) => Math.floor(random() * slots);
  return [
    ...of(0, 'kill', (random) => ({ slot: slot(random) })),
    ...of(1, 'term', (random) => ({ slot: slot(random) })),
    ...of(2, 'freeze', (random) => ({ slot: slot(random), forMs: between(random, freezeMs) })),
    ...of(3, 'restart', (random) => ({
      signal: random() < 0.5 ? 'SIGTERM' : 'SIGKILL',
      forMs: between(random, outageMs),
    })),
  ].sort((one, other) => one.atMs - other.atMs);
}

function gap(random: () => number, averageMs: number): number {
  return Math.round(averageMs * (0.5 + random()));
}

function between(random: () => number, [least, most]: Range): number {
  return Math.round(least + random() * (most - least));
}
