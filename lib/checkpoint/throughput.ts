/** `[runtimeMs, passed]` pairs over the last minute of running, oldest first: the rate is computed from them. */
export type Throughput = readonly (readonly [number, number])[];

const WINDOW_MS = 60_000;
const SAMPLE_MS = 10_000;

/** Adds a sample every ten seconds of running, and drops those that are older than a minute but for one. */
export function nextThroughput(pace: Throughput = [], runtimeMs: number, passed: number): Throughput {
  const last = pace.at(-1);
  if (last && runtimeMs - last[0] < SAMPLE_MS) return pace;
  const second = pace[1];
  const kept = second && runtimeMs - second[0] >= WINDOW_MS ? pace.slice(1) : pace;
  return [...kept, [runtimeMs, passed]];
}

/** Items a second over the last minute of running; undefined before anything can be said. */
export function itemsPerSecond(pace: Throughput = [], runtimeMs: number, passed: number): number | undefined {
  const [oldest] = pace;
  if (!oldest || runtimeMs <= oldest[0]) return undefined;
  return ((passed - oldest[1]) / (runtimeMs - oldest[0])) * 1_000;
}
