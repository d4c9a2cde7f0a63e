import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { WorkerRegistrar } from '../../lib/worker/worker.registrar.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

/** The checkpoint of a run that died in its first item. */
const DIED = {
  iteration: 1,
  progress: 0,
  cursor: null,
  processed: 0,
  skipped: 0,
  passed: 0,
  version: null,
  started: true,
  life: 0,
  run: 1,
  running: 'items',
  interruptions: 0,
  failures: 0,
  runtimeMs: 0,
};

describeQueues('careful mode', BACKENDS, (queues) => {
  async function died(app: TestApp, changes: object = {}): Promise<Job> {
    const job = await app.queue().add('story', { letters: 'abc' }, { delay: 3_600_000 });
    await job.updateProgress({ ...DIED, ...changes });
    await job.promote();
    return job;
  }
  const checkpointOf = async (app: TestApp, { id = '' }: Job) =>
    (await app.queue().getJob(id))?.progress as { running?: string; crashes?: number[]; run: number };

  it('R19: repeated lost locks do not count against an item while its process lives', async () => {
    let lost = 0;
    const { type, story } = storyProcessor({
      each: async (letter, { job }) => {
        if (letter !== 'a' || lost === 3) return;
        lost++;
        const other = (await app.queue().getJob(job.id as string)) as Job;
        await other.moveToWait(job.token as string); // as the stalled check of BullMQ does
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await died(app);
    expect(await (await app.settled(job)).getState()).toBe('completed');
    expect(story.filter((event) => event.length === 1).join('')).toBe('aaaabc');
    expect(lost).toBe(3);
  });

  it('R19: a shutdown while a suspect item waits ends the run at once and counts no crash', async () => {
    const { type, story } = storyProcessor({
      hook: (event) => {
        // A suspect item waits as long, from a moment later on.
        if (event === 'resume') setTimeout(() => story.push('a second later'), 1_000).unref();
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await died(app, { running: 'careful', crashes: [5, 6], run: 6 });
    await until('the run has begun', () => story.includes('resume'));
    await app.nest.get(WorkerRegistrar).onModuleDestroy();
    expect(story.slice(0, 2)).toEqual(['resume', 'interrupt shutdown']);
    expect(story).toContain('end interrupt');
    const { crashes, run, running } = await checkpointOf(app, job);
    expect({ crashes, run, running }).toEqual({ crashes: [5, 6], run: 7, running: undefined });
    const next = await queues.start({ processors: [type] });
    await next.settled(job);
    expect(story.filter((event) => event.length === 1).join('')).toBe('abc');
    expect(await checkpointOf(next, job)).not.toHaveProperty('crashes');
  });

  it('R19: an item that fails after a crash stays a suspect; an item that is handled does not', async () => {
    let fails = true;
    const { type } = storyProcessor({
      each: (letter) => {
        if (letter === 'b' && fails) throw new Error('not b');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await died(app, { running: 'careful item', cursor: 0, processed: 1, passed: 1 });
    await app.settled(job, ['failed']);
    expect(await checkpointOf(app, job)).toMatchObject({ crashes: [1] });
    fails = false;
    await job.retry('failed');
    await app.settled(job, ['completed']);
    expect(await checkpointOf(app, job)).not.toHaveProperty('crashes');
  });
});
