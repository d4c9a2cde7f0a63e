import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues, redisConnection } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

/** Long enough that a busy machine loses no lock by itself. */
const WORKER = { lockDuration: 2_400, stalledInterval: 100 };

describeQueues('lost locks', BACKENDS, (queues) => {
  const workers = recordWorkers();

  it('R20: a stolen lock ends the run: the signal aborts, no hook is called, and no failure is counted', async () => {
    const reached = new Gate();
    const { type, story } = storyProcessor({
      each: async (letter, { run, signal }) => {
        if (letter !== 'c' || run > 1) return;
        void reached.wait();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const iteration = { worker: WORKER, checkpoint: { everyItems: 1 } };
    const app = await queues.start({ processors: [type], iteration });
    const job = await app.queue().add('story', {});
    await reached.reached;
    await stealLock(queues, job.id as string);
    const { attemptsMade, stacktrace } = await app.settled(job);
    expect(story.join(' ')).toBe('start a b c resume c d e complete end complete');
    expect({ attemptsMade, stacktrace: stacktrace ?? [] }).toEqual({ attemptsMade: 1, stacktrace: [] });
    expect(await app.iterations.status({ queue: 'jobs', id: job.id as string })).toMatchObject({ run: 2, failures: 0 });
  });

  it('R20: a process that blocks for longer than lockDuration ends its run without counting a failure', async () => {
    const { type, story } = storyProcessor({
      each: async (letter, { run }) => {
        if (letter !== 'b' || run > 1) return;
        const since = Date.now();
        while (Date.now() < since + WORKER.lockDuration + 50);
      },
    });
    const app = await queues.start({ processors: [type], iteration: { worker: WORKER } });
    const job = await app.queue().add('story', {});
    const { attemptsMade, stacktrace } = await app.settled(job);
    expect(story.join(' ')).toBe('start a b resume a b c d e complete end complete');
    expect({ attemptsMade, stacktrace: stacktrace ?? [] }).toEqual({ attemptsMade: 1, stacktrace: [] });
  });

  it('R20: a worker that takes its own job again keeps the new lock when the previous run ends', async () => {
    const gates = [new Gate(), new Gate()];
    const signals: AbortSignal[] = [];
    const { type, story } = storyProcessor({
      each: (letter, { run, signal }) => {
        signals[run - 1] = signal;
        return letter === 'c' ? gates[run - 1]?.wait() : undefined;
      },
    });
    const app = await queues.start({ processors: [type], iteration: { worker: { ...WORKER, concurrency: 2 } } });
    const job = await app.queue().add('story', {});
    await gates[0]?.reached;
    await stealLock(queues, job.id as string);
    await gates[1]?.reached;
    await until('the previous run knows that its lock is lost', () => signals[0]?.aborted);
    let renewedAt = 0;
    workers[0]?.on('locksRenewed', ({ jobIds }) => {
      if (jobIds.includes(job.id as string)) renewedAt = Date.now();
    });
    gates[0]?.open();
    await until('the previous run has ended', () => story.filter((event) => event === 'c').length === 1);
    const endedAt = Date.now();
    await until('the lock is renewed for longer than lockDuration', () => renewedAt > endedAt + WORKER.lockDuration);
    gates[1]?.open();
    await app.settled(job);
    expect(story.join(' ')).toBe('start a b resume a b c c d e complete end complete');
  });
});

/** Gives the lock to another token for a moment. */
async function stealLock({ place, backend }: Queues, id: string): Promise<void> {
  const MOMENT_MS = 300;
  if (backend === 'redis') {
    const redis = new Redis(redisConnection());
    await redis.set(`${place.prefix}:jobs:${id}:lock`, 'a thief', 'PX', MOMENT_MS);
    await redis.quit();
    return;
  }
  const { connectionString, schema } = place.connection as { connectionString: string; schema: string };
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`UPDATE ${schema}.job SET lock_token = 'a thief', locked_until_ms = $2 WHERE id = $1`, [
    id,
    Date.now() + MOMENT_MS,
  ]);
  await client.end();
}
