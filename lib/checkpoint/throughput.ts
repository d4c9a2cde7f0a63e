/** How far a job was. `fraction` is that of its source, where the source knows it. */
type Sample = readonly [runtimeMs: number, passed: number, fraction?: number];

/** Samples of the last minute of running, oldest first: the rate is computed from them. */
export type Throughput = readonly Sample[];

const WINDOW_MS = 60_000;
const SAMPLE_MS = 10_000;

/** Of a checkpoint. */
interface Measured {
  readonly progress: number;
  readonly fraction?: number | undefined;
  readonly size?: number | null | undefined;
  readonly pace?: Throughput;
}

/** What is computed from how far a job is now. `fraction` is that of its source; `batchSize` the one in force. */
export function measured(
  { pace, progress, settings, size: before }: Measured & { settings?: { batchSize?: number | undefined } },
  now: { batchSize: number | undefined; fraction: number | undefined; passed: number; runtimeMs: number },
): Measured {
  const { batchSize, fraction, passed, runtimeMs } = now;
  const size = resized(before, { before: settings?.batchSize, now: batchSize, passed });
  return {
    progress: nextPercent(progress, fraction ?? (size ? passed / size : 0)),
    fraction,
    size,
    pace: nextThroughput(pace, fraction === undefined ? [runtimeMs, passed] : [runtimeMs, passed, fraction]),
  };
}

/** Adds a sample every ten seconds of running, and drops those that are older than a minute but for one. */
function nextThroughput(pace: Throughput = [], sample: Sample): Throughput {
  const [runtimeMs] = sample;
  const last = pace.at(-1);
  if (last && runtimeMs - last[0] < SAMPLE_MS) return pace;
  const second = pace[1];
  const kept = second && runtimeMs - second[0] >= WINDOW_MS ? pace.slice(1) : pace;
  return [...kept, sample];
}

/** Items a second over the last minute of running; undefined before anything can be said. */
export function itemsPerSecond(pace: Throughput = [], runtimeMs: number, passed: number): number | undefined {
  const [oldest] = pace;
  return oldest && perSecond([oldest[0], oldest[1]], [runtimeMs, passed]);
}

/** As {@link itemsPerSecond}, for the fraction of the source. */
export function fractionPerSecond(pace: Throughput = [], runtimeMs: number, fraction: number): number | undefined {
  const [oldest] = pace;
  return oldest?.[2] === undefined ? undefined : perSecond([oldest[0], oldest[2]], [runtimeMs, fraction]);
}

type Point = readonly [runtimeMs: number, value: number];

function perSecond(from: Point, to: Point): number | undefined {
  return to[0] > from[0] ? ((to[1] - from[1]) / (to[0] - from[0])) * 1_000 : undefined;
}

/** Never falls (R29). One decimal, rounded down: 100 only at the end. */
function nextPercent(before: number, fraction: number): number {
  return Math.max(before, Math.min(fraction < 1 ? 99.9 : 100, toTenths(fraction * 100)));
}

/** Rounds down to one decimal. */
export function toTenths(percent: number): number {
  return Math.floor(Number((percent * 10).toFixed(6))) / 10; // 0.29 * 100 is a little less than 29
}

/** The size of a source of batches counts batches: with batches of another size, more or fewer of them are left. */
function resized(
  size: number | null | undefined,
  { before, now, passed }: { before: number | undefined; now: number | undefined; passed: number },
): number | null | undefined {
  if (!size || !before || !now || before === now) return size;
  return passed + Math.ceil((Math.max(0, size - passed) * before) / now);
}
