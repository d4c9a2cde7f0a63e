/**
 * Real processes and a real SIGTERM, in the middle of a job whose items do nothing. Measures the time from the signal
 * to the saved checkpoint (target: 25 ms) and to the end of the process, and from the spawn to the first item. Compares
 * with a processor of `@nestjs/bullmq` that does the same by hand, and with a bare BullMQ worker that begins its first
 * job. Each run is a fresh process; medians of nine rounds, in turn. After each run, the job must be back in the queue
 * with its cursor.
 *
 * `REDIS_URL` names the server; `ROUNDS=11` is another number of rounds.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { redisConnection } from '../test/support/app.js';
import { type Figure, report } from './figure.js';
import { inTurn, mapped, Rounds } from './interleaved.js';
import { BenchProcess } from './processes/bench.process.js';
import type { NumbersConfig } from './processes/numbers-worker.js';

const ROUNDS = Number(process.env.ROUNDS ?? 9);
/** How long a job runs before the signal. */
const RUNNING_MS = 300;
const CHECKPOINT_MS = 25;

/** In milliseconds. */
interface Times {
  readonly first: number;
  readonly checkpoint: number;
  readonly exit: number;
}

type Contender = 'sync' | 'async' | 'done by hand' | 'bare worker';

const place = { connection: redisConnection(), prefix: `bench-${process.pid}` };
const queue = new Queue('numbers', place);

try {
  const times = await inTurn<Contender, Times>(
    {
      sync: () => interrupted('numbers-worker', 'sync'),
      async: () => interrupted('numbers-worker', 'async'),
      'done by hand': () => interrupted('handmade-worker', 'by hand'),
      'bare worker': begun,
    },
    { rounds: ROUNDS, warmUps: 1 },
  );
  const of = (time: keyof Times) => new Rounds(mapped(times, (values) => values.map((value) => value[time])));
  const compared = { against: 'done by hand', asText: asMilliseconds } as const;
  for (const ours of ['sync', 'async'] as const) report(checkpointFigure(of('checkpoint'), ours));
  report(of('exit').measures('SIGTERM to exit', { ...compared, ours: 'async' }));
  report(of('first').measures('spawn to first item', { ...compared, ours: 'async' }));
  report(of('first').measures('spawn to first item', { ...compared, ours: 'async', against: 'bare worker' }));
} finally {
  await queue.obliterate({ force: true });
  await queue.close();
}

async function interrupted(program: string, name: string): Promise<Times> {
  const job = await queue.add(name, {});
  return inProcess(program, async (worker) => {
    const { at } = await worker.message('first');
    await delay(RUNNING_MS);
    const terminatedAt = worker.terminate();
    const checkpoint = await worker.message('checkpoint');
    const exitedAt = await worker.exited;
    await checkPutBack(job.id as string);
    return { first: at - worker.spawnedAt, checkpoint: checkpoint.at - terminatedAt, exit: exitedAt - terminatedAt };
  });
}

async function begun(): Promise<Times> {
  await queue.add('plain', {});
  return inProcess('plain-worker', async (worker) => {
    const { at } = await worker.message('first');
    return { first: at - worker.spawnedAt, checkpoint: Number.NaN, exit: Number.NaN };
  });
}

async function inProcess(program: string, use: (worker: BenchProcess) => Promise<Times>): Promise<Times> {
  const config: NumbersConfig = { place, queue: queue.name };
  const worker = new BenchProcess(program, config);
  try {
    return await use(worker);
  } finally {
    await worker.kill();
    await queue.obliterate({ force: true });
  }
}

async function checkPutBack(id: string): Promise<void> {
  const state = await queue.getJobState(id);
  const { cursor } = ((await queue.getJob(id))?.progress ?? {}) as { cursor?: number };
  if (state !== 'waiting' || !cursor) throw new Error(`The job is ${state}, at ${cursor}`);
}

/** The target is in milliseconds, not a ratio. */
function checkpointFigure(rounds: Rounds<Contender>, ours: 'sync' | 'async'): Figure {
  const { median, least, most } = rounds.spread(ours);
  return {
    what: `SIGTERM to checkpoint, ${ours} handler`,
    ours: `${asMilliseconds(median)} (${asMilliseconds(least)} to ${asMilliseconds(most)})`,
    against: `done by hand: ${asMilliseconds(rounds.median('done by hand'))}`,
    target: { atMost: CHECKPOINT_MS },
  };
}

function asMilliseconds(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms`;
}
