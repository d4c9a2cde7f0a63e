import { randomOf } from '../support/random.js';

/** What is done to the workers and to Redis, and when: milliseconds since the beginning. */
export type Disturbance = { readonly atMs: number } & (
  | { readonly type: 'kill' | 'term'; readonly slot: number }
  | { readonly type: 'freeze'; readonly slot: number; readonly forMs: number }
  | { readonly type: 'restart'; readonly signal: 'SIGTERM' | 'SIGKILL'; readonly forMs: number }
);

export interface ScheduleOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly slots: number;
  /** Milliseconds between two of a kind, on average; `Infinity`: none. */
  readonly every: Readonly<Record<Disturbance['type'], number>>;
  readonly freezeMs: Range;
  /** How long Redis is away. */
  readonly outageMs: Range;
}

type Range = readonly [least: number, most: number];

/** The disturbances of a seed, in order. Each kind has random numbers of its own: another rate of one moves none of the others. */
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
    // from half to one and a half times the average, so that a minute has as many as it should
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
