import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import { BOTH, describeQueues, type Queues, redisConnection, type TestApp } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('what is said of a run whose job is taken from it', BOTH, (queues) => {
  const GONE = 'the job is no longer in its queue (removed, obliterated or flushed); nothing more is done';

  /** What the log says when the handler of `b` does this, with a checkpoint after each item. */
  async function said(take: (app: TestApp, context: IterationContext) => Promise<unknown>): Promise<string> {
    let app!: TestApp;
    const { type, story } = storyProcessor(
      { each: (letter, context) => (letter === 'b' ? take(app, context as IterationContext) : undefined) },
      { checkpoint: { everyItems: 1 } },
    );
    app = await queues.start({ processors: [type] });
    await app.queue().add('story', { letters: 'abc' }, { jobId: 'taken' });
    const lost = () => queues.logs.find((line) => line.includes('lost its lock'));
    const line = await until('the loss is said', lost);
    expect(story.join(' ')).not.toMatch(/complete|end|fail/);
    return line.replace('warn Job taken (jobs, story) lost its lock after cursor ', '');
  }

  it('R20: obliterated: nobody carries on', async () => {
    expect(await said((app) => app.queue().obliterate({ force: true }))).toBe(`1: ${GONE}`);
  });

  it("R20: completed by the handler's own job.moveToCompleted: it is completed", async () => {
    const line = await said((_, { job }) => job.moveToCompleted('mine', job.token as string, false));
    expect(line).toMatch(/^1: the job is already completed, by something else than this run/);
  });

  it('R20: failed by its handler: it has failed', async () => {
    const line = await said((_, { job }) => job.moveToFailed(new Error('mine'), job.token as string, false));
    expect(line).toMatch(/^1: the job is already failed, by something else than this run/);
  });

  const onRedis = queues.backend === 'redis' ? it : () => {};
  onRedis('R20: flushed: nobody carries on', async () => {
    expect(await said(() => flush(queues))).toBe(`1: ${GONE}`);
  });
});

/** As FLUSHDB does it, but for the other suites. */
async function flush(queues: Queues): Promise<void> {
  const redis = new Redis(redisConnection());
  const keys = await redis.keys(`${queues.place.prefix}:*`);
  await redis.del(...keys);
  await redis.quit();
}
