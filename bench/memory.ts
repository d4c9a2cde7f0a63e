/**
 * The peak memory (VmHWM) of a process that runs one job over `enumerators.keyset` of `pg`. At 100k, 1M and 5M rows,
 * compares with the bare keyset loop (target <= 1.15); at 1M and 5M rows, also with 100k rows (flat; target <= 1.15).
 * The bare loop runs in a plain processor of `@nestjs/bullmq`, in an application that is otherwise the same and loads
 * the same packages. Each run is a fresh process; medians of five rounds, in turn.
 *
 * `ROWS=5000000` is the largest size; the others are a fiftieth and a fifth of it. `REDIS_URL` and `DATABASE_URL` name
 * the servers; the bench creates and drops its own database there.
 */
import { Queue } from 'bullmq';
import { redisConnection } from '../test/support/app.js';
import { createDatabase } from '../test/support/database.js';
import { createEntries } from './entries.js';
import { asMegabytes, report } from './figure.js';
import { inTurn, mapped, Rounds } from './interleaved.js';
import { BenchProcess } from './processes/bench.process.js';
import type { Complete, JobData, QueueWorkerConfig, Ready } from './processes/queue-worker.js';

const ROWS = Number(process.env.ROWS ?? 5_000_000);
const [SMALL, MIDDLE, LARGE] = [ROWS / 50, ROWS / 5, ROWS] as const;
const ATMOST = { atMost: 1.15 };

/** In bytes. */
interface Peak {
  readonly peak: number;
  /** Since the worker was ready. */
  readonly grown: number;
}

const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };
const queue = new Queue('memory', place);
const database = await createDatabase();

try {
  await createEntries(database, ROWS);
  const sizes = { small: SMALL, middle: MIDDLE, large: LARGE };
  const ours = mapped(sizes, (rows) => () => peakOf('ours', rows));
  const bare = mapped(sizes, (rows) => () => peakOf('bare', rows));
  const peaks = await inTurn({
    small: ours.small,
    'bare small': bare.small,
    middle: ours.middle,
    'bare middle': bare.middle,
    large: ours.large,
    'bare large': bare.large,
  });
  const rounds = new Rounds(mapped(peaks, (values) => values.map(({ peak }) => peak)));
  const grown = new Rounds(mapped(peaks, (values) => values.map((value) => value.grown)));
  for (const size of ['small', 'middle', 'large'] as const) {
    const what = `peak memory of a job over ${asCount(sizes[size])} rows`;
    const name = 'bare pg loop in a plain processor';
    const compared = { ours: size, against: `bare ${size}`, name, asText: asMegabytes } as const;
    report(rounds.measures(what, { ...compared, target: ATMOST }));
    report(grown.measures(`${what}, above that of its idle worker`, compared));
  }
  for (const size of ['middle', 'large'] as const) {
    const what = `peak memory of a job over ${asCount(sizes[size])} rows`;
    const name = `over ${asCount(SMALL)} rows`;
    report(rounds.measures(what, { ours: size, against: 'small', name, asText: asMegabytes, target: ATMOST }));
  }
} finally {
  await queue.obliterate({ force: true });
  await queue.close();
  await database.drop();
}

async function peakOf(contender: QueueWorkerConfig['contender'], items: number): Promise<Peak> {
  const config: QueueWorkerConfig = { place, queue: queue.name, contender, databaseUrl: database.url };
  const worker = new BenchProcess('queue-worker', config);
  try {
    const { peakBytes } = await worker.message<Ready>('ready');
    await queue.add('entries', { items, batch: 'entries', isLast: true } satisfies JobData);
    const complete = await worker.message<Complete>('complete entries');
    if (complete.items !== items) throw new Error(`${contender} handled ${complete.items} rows of ${items}`);
    return { peak: complete.peakBytes, grown: complete.peakBytes - peakBytes };
  } finally {
    await worker.kill();
    await queue.obliterate({ force: true });
  }
}

function asCount(count: number): string {
  return count.toLocaleString('en');
}
