/**
 * What jobs of 100 items cost as their number in the queue grows from 1 to 10,000: items/s, peak memory, and Redis
 * commands (including those inside scripts) and bytes per job, against a plain processor of `@nestjs/bullmq` for the
 * same jobs; and items/s against a hundredth of the most jobs. Each run in a fresh process, medians of five rounds, in
 * turn, over a private redis-server.
 *
 * `JOBS=10000` is the largest number of jobs, `ROUNDS=5` the number of rounds.
 */
import { asMegabytes, report, spreadOf } from './figure.js';
import { asRate, inTurn } from './interleaved.js';
import { type Cost, type Work, WorkerCosts } from './worker-costs.js';

const JOBS = Number(process.env.JOBS ?? 10_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const ITEMS = 100;
const SIZES = [1, 10, 100, 1_000, 10_000].filter((jobs) => jobs <= JOBS);
/** With fewer jobs, the startup of the process would dominate the time. */
const BASE = JOBS / 100;

const costs = await WorkerCosts.open();
try {
  const rounds = await inTurn<string, Cost>(Object.fromEntries(SIZES.flatMap(contendersOf)), { rounds: ROUNDS });
  const valuesOf = (name: string, aspect: (cost: Cost) => number) => (rounds[name] as Cost[]).map(aspect);

  for (const jobs of SIZES) {
    const speed = ({ seconds }: Cost) => (jobs * ITEMS) / seconds;
    const [ours, bare] = [valuesOf(`ours ${jobs}`, speed), valuesOf(`bare ${jobs}`, speed)];
    const of = `${jobs.toLocaleString('en')} jobs of ${ITEMS} items`;
    report({
      what: `${of}: speed`,
      ours: asRate(middle(ours), 'items'),
      against: `plain processor: ${asRate(middle(bare), 'items')}`,
      ratio: ratios(ours, bare),
    });
    if (jobs > BASE) {
      const base = valuesOf(`ours ${BASE}`, ({ seconds }) => (BASE * ITEMS) / seconds);
      report({
        what: `${of}: speed`,
        ours: asRate(middle(ours), 'items'),
        against: `${BASE.toLocaleString('en')} jobs: ${asRate(middle(base), 'items')}`,
        ratio: ratios(ours, base),
      });
    }
    const peak = ({ peakBytes }: Cost) => peakBytes;
    const [ourPeaks, barePeaks] = [valuesOf(`ours ${jobs}`, peak), valuesOf(`bare ${jobs}`, peak)];
    report({
      what: `${of}: peak memory`,
      ours: asMegabytes(middle(ourPeaks)),
      against: `plain processor: ${asMegabytes(middle(barePeaks))}`,
      ratio: ratios(ourPeaks, barePeaks),
    });
    const commands = ({ commands }: Cost) => commands / jobs;
    const bytes = ({ redisBytes }: Cost) => redisBytes / jobs;
    const [ourCommands, bareCommands] = [valuesOf(`ours ${jobs}`, commands), valuesOf(`bare ${jobs}`, commands)];
    report({
      what: `${of}: Redis traffic a job`,
      ours: `${middle(ourCommands).toFixed(1)} commands, ${middle(valuesOf(`ours ${jobs}`, bytes)).toFixed(0)} bytes`,
      against: `plain processor: ${middle(bareCommands).toFixed(1)} commands, ${middle(valuesOf(`bare ${jobs}`, bytes)).toFixed(0)} bytes`,
      ratio: ratios(ourCommands, bareCommands),
    });
  }
} finally {
  await costs.close();
}

function contendersOf(jobs: number): [string, () => Promise<Cost>][] {
  const cost = (contender: Work['contender']) => () => costs.of({ contender, jobs, items: ITEMS });
  return [
    [`ours ${jobs}`, cost('ours')],
    [`bare ${jobs}`, cost('bare')],
  ];
}

function ratios(values: readonly number[], others: readonly number[]) {
  return spreadOf(values.map((value, round) => value / (others[round] as number)));
}

function middle(values: readonly number[]): number {
  return spreadOf(values).median;
}
