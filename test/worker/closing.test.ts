import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OneShotConfig } from '../processes/one-shot.js';
import { BACKENDS, describeQueues, Queues, type TestApp } from '../support/app.js';
import { useBackend } from '../support/backend.js';
import { OwnRedis } from '../support/own-redis.js';
import { WorkerProcess } from '../support/processes.js';
import { hasRedisServer } from '../support/redis-server.js';
import { type Script, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

/** A shutdown that takes longer has waited for its deadline, which is twice as long. */
const PROMPT_MS = 60_000;
const iteration = { shutdown: { deadlineMs: 120_000 } };

describeQueues('app.close() in a hook', BACKENDS, (queues) => {
  /** Runs a job whose hook closes the application, and returns the outcome of the job. */
  async function closedBy(event: string, script: Script = {}, options: object = {}) {
    let app!: TestApp;
    let tookMs: number | undefined;
    const { type, story } = storyProcessor({
      ...script,
      hook: async (each, context) => {
        if (each !== event) return;
        const since = Date.now();
        await app.close();
        tookMs = Date.now() - since;
        await script.hook?.(each, context);
      },
    });
    const producer = await queues.start({ iteration: { workers: false } });
    app = await queues.start({ processors: [type], iteration });
    const job = await producer.queue().add('story', { letters: 'ab' }, options);
    await until('the application has closed', () => tookMs !== undefined);
    expect(tookMs).toBeLessThan(PROMPT_MS);
    expect(queues.logs.filter((line) => /outlived|failed/.test(line) && !line.includes('no more'))).toEqual([]);
    return { job, story, state: await producer.queue().getJobState(job.id as string), type };
  }

  it('R11: a job completes once when its complete hook closes the application', async () => {
    const { state, story } = await closedBy('complete');
    expect([state, story]).toEqual(['completed', ['start', 'a', 'b', 'complete', 'end complete']]);
  });

  it('a job completes when its end hook closes the application', async () => {
    const { state, story } = await closedBy('end complete');
    expect([state, story]).toEqual(['completed', ['start', 'a', 'b', 'complete', 'end complete']]);
  });

  it.each(['fail no more', 'end fail'])('a job fails when its hook "%s" closes the application', async (event) => {
    const each = () => {
      throw new Error('no more');
    };
    const { state, story } = await closedBy(event, { each });
    expect([state, story]).toEqual(['failed', ['start', 'fail no more', 'end fail']]);
  });

  it('a job is put back when its interrupt hook closes the application', async () => {
    const each = (letter: string, { retryIn }: { retryIn: (ms: number) => void }) => {
      if (letter === 'a') retryIn(60_000);
    };
    const { state, story } = await closedBy('interrupt retryIn', { each });
    expect([state, story]).toEqual(['delayed', ['start', 'a', 'interrupt retryIn', 'end interrupt']]);
  });

  it('a job whose start hook closes the application is put back, and start is not called again', async () => {
    const { job, state, story, type } = await closedBy('start');
    expect([state, story]).toEqual(['waiting', ['start', 'interrupt shutdown', 'end interrupt']]);
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(story.slice(3)).toEqual(['resume', 'a', 'b', 'complete', 'end complete']);
  });

  it('a complete hook that closes the application without waiting keeps its return value', async () => {
    let app!: TestApp;
    const { type } = storyProcessor({
      hook: async (event) => {
        if (event !== 'complete') return;
        void app.close();
        await new Promise((resolve) => setImmediate(resolve));
        return { kept: true };
      },
    });
    const producer = await queues.start({ iteration: { workers: false } });
    app = await queues.start({ processors: [type], iteration });
    const job = await producer.settled(await producer.queue().add('story', { letters: 'ab' }));
    expect(job.returnvalue).toEqual({ kept: true });
  });
});

describeQueues('app.close() when the jobs are done', ['redis'], (queues) => {
  it('R15: app.close() leaves no timer that keeps the process from exiting', async () => {
    const { connection, prefix } = queues.place as OneShotConfig;
    const worker = new WorkerProcess<OneShotConfig>({ connection, prefix }, 'one-shot');
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    expect(worker.lines).toEqual(['left open: ']);
  });
});

describe.runIf(hasRedisServer())('a process whose Redis has stopped', () => {
  let redis: OwnRedis;
  beforeAll(async () => {
    redis = await OwnRedis.start();
    useBackend('redis');
  });
  afterAll(() => redis.remove());

  it('a process without running jobs stops at once when its Redis has stopped', async () => {
    const queues = new Queues('redis');
    queues.moveTo({ connection: { host: '127.0.0.1', port: redis.port }, prefix: 'gone' });
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type], iteration });
    await app.settled(await app.queue().add('story', { letters: 'a' }));
    await redis.stop();
    const since = Date.now();
    await app.close();
    expect(Date.now() - since).toBeLessThan(PROMPT_MS);
    expect(queues.logs.filter((line) => line.includes('outlived'))).toEqual([]);
  });
});
