import { BullModule } from '@nestjs/bullmq';
import { type INestApplication, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { IterationModule, type IterationOptions, IterationService } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { QueueBoardModule } from './recipes/bull-board.module.js';

const PASSWORD = 'p4ss:word';
const ASKED = { headers: { authorization: `Basic ${Buffer.from(`anna:${PASSWORD}`).toString('base64')}` } };

/** A job, as the board's page is given it. */
interface BoardJob {
  readonly id: string;
  readonly name: string;
  readonly failedReason?: string;
  readonly progress: {
    readonly progress: number;
    readonly cursor: unknown;
    readonly processed: number;
    readonly lastInterruption?: { readonly reason: string };
  };
}

describeQueues('Bull Board', BACKENDS, (queues) => {
  const apps: INestApplication[] = [];
  beforeAll(() => {
    process.env.BOARD_PASSWORD = PASSWORD;
  });
  afterEach(async () => void (await Promise.all(apps.splice(0).map((app) => app.close()))));
  afterAll(() => {
    delete process.env.BOARD_PASSWORD;
  });

  /** An application with the recipe's module. Each item of its processor is followed by a checkpoint. */
  async function serve(types: readonly Type[], iteration: IterationOptions = {}) {
    @Module({
      imports: [BullModule.forRoot(queues.place as never), IterationModule.forRoot(iteration), QueueBoardModule],
      providers: [...types],
    })
    class BoardApp {}
    const app = await NestFactory.create(BoardApp, { logger: false, abortOnError: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const api = `${await app.getUrl()}/queues/api/queues`;
    /** What the page of the queue shows under a status. */
    const shown = async (status: string): Promise<{ jobs: readonly BoardJob[]; counts: Record<string, number> }> => {
      const query = `activeQueue=maintenance&status=${status}&page=1&jobsPerPage=10`;
      const response = await fetch(`${api}?${query}`, ASKED);
      expect(response.status).toBe(200);
      const { queues: all } = (await response.json()) as { queues: never[] };
      expect(all).toHaveLength(1);
      return all[0] as never;
    };
    return { app, api, shown, iterations: app.get(IterationService) };
  }

  const options = { queue: 'maintenance', checkpoint: { everyItems: 1 } } as const;

  it('the page shows the percent and the cursor of a running job, and of the interrupted job after a deploy', async () => {
    const hold = new Hold('c');
    const { type } = storyProcessor({ each: hold.each }, options);
    const worker = await serve([type]);
    await worker.iterations.enqueue(type, { letters: 'abcd' }, { jobId: 'import-7' });
    await hold.reached;
    const half = { progress: 50, cursor: 1, processed: 2 };
    // The size is asked for beside the items: a checkpoint knows it soon.
    await until('the job is half done', async () => (await worker.iterations.status(ref)).percent === 50);
    const running = await worker.shown('active');
    expect(running.counts).toMatchObject({ active: 1, waiting: 0 });
    expect(running.jobs).toMatchObject([{ id: 'import-7', name: 'story', progress: half }]);
    await worker.app.close();

    const web = await serve([type], { workers: false });
    const interrupted = await web.shown('waiting');
    expect(interrupted.counts).toMatchObject({ active: 0, waiting: 1, failed: 0 });
    expect(interrupted.jobs).toMatchObject([
      { id: 'import-7', progress: { progress: 75, cursor: 2, processed: 3, lastInterruption: { reason: 'shutdown' } } },
    ]);
    expect(interrupted.jobs[0]).not.toHaveProperty('failedReason');
  });

  it('the page shows the percent and the error of a failed job, and its button Retry resumes after the cursor', async () => {
    const { type, script, story } = storyProcessor({}, options);
    script.each = (letter) => {
      if (letter === 'c') throw new Error('no such customer');
    };
    const { api, iterations, shown } = await serve([type]);
    await iterations.enqueue(type, { letters: 'abcd' }, { jobId: 'import-7' });
    await until('the job has failed', async () => (await iterations.status(ref)).state === 'failed');
    const failed = await shown('failed');
    expect(failed.counts).toMatchObject({ active: 0, failed: 1 });
    expect(failed.jobs).toMatchObject([
      { id: 'import-7', failedReason: 'no such customer', progress: { progress: 50, cursor: 1, processed: 2 } },
    ]);

    script.each = () => {};
    story.length = 0;
    const retry = await fetch(`${api}/maintenance/import-7/retry`, { method: 'PUT', ...ASKED });
    expect(retry.status).toBeLessThan(300);
    await until('the job has completed', async () => (await iterations.status(ref)).state === 'completed');
    expect(story).toEqual(['resume', 'c', 'd', 'complete', 'end complete']);
    expect((await shown('completed')).jobs).toMatchObject([
      { id: 'import-7', progress: { progress: 100, processed: 4 } },
    ]);
  });

  it('the page shows a paused job as delayed, with its percent; its button Promote does not resume it', async () => {
    const hold = new Hold('b');
    const { type, story } = storyProcessor({ each: hold.each }, options);
    const { api, iterations, shown } = await serve([type]);
    await iterations.enqueue(type, { letters: 'abcd' }, { jobId: 'import-7' });
    await hold.reached;
    await iterations.pause(ref);
    const paused = await until('the job is delayed', async () => {
      const page = await shown('delayed');
      return page.jobs.length === 1 && page;
    });
    expect(paused.jobs).toMatchObject([{ id: 'import-7', progress: { progress: 50, cursor: 1 } }]);
    const promote = await fetch(`${api}/maintenance/import-7/promote`, { method: 'PUT', ...ASKED });
    expect(promote.status).toBeLessThan(300);
    await until('the job is delayed again', async () => (await shown('delayed')).jobs.length === 1);
    expect((await iterations.status(ref)).state).toBe('paused');
    expect(story.filter((line) => line.length === 1)).toEqual(['a', 'b']);
  });

  it('the page and its API ask for the password', async () => {
    const { api } = await serve([]);
    const wrong = { headers: { authorization: `Basic ${Buffer.from('anna:wrong').toString('base64')}` } };
    for (const url of [api, api.replace('/api/queues', '')]) {
      expect((await fetch(url)).status).toBe(401);
      expect((await fetch(url, wrong)).status).toBe(401);
      expect((await fetch(url, ASKED)).status).toBe(200);
    }
  });

  const ref = { queue: 'maintenance', id: 'import-7' };
});
