import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import { BACKENDS, describeQueues, type Queues, redisConnection, type TestApp } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('the log of a run whose job is taken away', BACKENDS, (queues) => {
  const GONE = 'the job is no longer in its queue (removed, obliterated or flushed); nothing more is done';

  /** The logged reason when the handler of `b` calls `take`, with a checkpoint after each item. */
  async function reasonOf(take: (app: TestApp, context: IterationContext) => Promise<unknown>): Promise<string> {
    let app!: TestApp;
    const { type, story } = storyProcessor(
      { each: (letter, context) => (letter === 'b' ? take(app, context as IterationContext) : undefined) },
      { checkpoint: { everyItems: 1 } },
    );
    // No renewal comes before the run itself notices.
    app = await queues.start({ processors: [type], iteration: { worker: { lockDuration: 60_000 } } });
    await app.queue().add('story', { letters: 'abc' }, { jobId: 'taken' });
    const lost = () => queues.logs.find((line) => line.includes('lost its lock'));
    const line = await until('the lost lock is logged', lost);
    expect(story.join(' ')).not.toMatch(/complete|end|fail/);
    return line.replace('warn Job taken (jobs, story) lost its lock after cursor ', '');
  }

  it('R20: a run logs that its job is gone after the queue is obliterated', async () => {
    expect(await reasonOf((app) => app.queue().obliterate({ force: true }))).toBe(`1: ${GONE}`);
  });

  it('R20: a run logs that its job is already completed when its handler calls job.moveToCompleted', async () => {
    const line = await reasonOf((_, { job }) => job.moveToCompleted('mine', job.token as string, false));
    expect(line).toMatch(/^1: the job is already completed, by something else than this run/);
  });

  it('R20: a run logs that its job has already failed when its handler calls job.moveToFailed', async () => {
    const line = await reasonOf((_, { job }) => job.moveToFailed(new Error('mine'), job.token as string, false));
    expect(line).toMatch(/^1: the job is already failed, by something else than this run/);
  });

  const onRedis = queues.backend === 'redis' ? it : () => {};
  onRedis('R20: a run logs that its job is gone after Redis is flushed', async () => {
    expect(await reasonOf(() => flush(queues))).toBe(`1: ${GONE}`);
  });
});

/** Like FLUSHDB, but it keeps the keys of other suites. */
async function flush(queues: Queues): Promise<void> {
  const redis = new Redis(redisConnection());
  const keys = await redis.keys(`${queues.place.prefix}:*`);
  await redis.del(...keys);
  await redis.quit();
}
