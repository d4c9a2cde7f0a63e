import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { type Script, storyProcessor } from '../support/story.js';

/** From then on the job's history has as many lines as it ever has. */
const RUNS_KEPT = 45;

describeQueues('many failures', BACKENDS, (queues) => {
  const items = queues.backend === 'redis' ? 20_000 : 8_000;

  it('R23: a job with `attempts: 3` survives errors in 1 % of its items, and its stored size stays small', async () => {
    const failures = items / 100;
    const handled = new Uint8Array(items);
    const sizes: number[] = [];
    let next = 50;
    const build: Script['build'] = ({ cursor }, enumerators) => enumerators.times(items, { cursor });
    const each = (item: number) => {
      if (item >= next) {
        next += 100;
        throw new Error(`item ${String(item).padStart(6, '0')} failed`);
      }
      handled[item] = (handled[item] as number) + 1;
    };
    const hook: Script['hook'] = async (event, { run, job }) => {
      if (event !== 'resume' || (run !== RUNS_KEPT && run !== failures)) return;
      const stored = (await app.queue().getJob(job.id as string)) as Job;
      sizes.push(JSON.stringify(stored.asJSON()).length);
    };
    const { type, story } = storyProcessor({ build, each: each as never, hook });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 3 }));

    expect([await job.getState(), job.returnvalue]).toEqual(['completed', { processed: items, skipped: 0 }]);
    expect(handled.every((times) => times === 1)).toBe(true);
    expect(story.filter((event) => event === 'end retry')).toHaveLength(failures);
    expect(await app.iterations.status(job)).toMatchObject({ failures: 0, run: failures + 1 });
    const [early, late] = sizes as [number, number];
    expect(late - early).toBeLessThan(200); // for longer numbers and the rate of the last minute
  });

  it('R23: an item that always fails ends the job after three tries, with its own message and stack', async () => {
    const error = new TypeError('nobody can handle 700');
    const tries: number[] = [];
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.times(1_000, { cursor }),
      each: ((item: number) => {
        if (item !== 700) return;
        tries.push(item);
        throw error;
      }) as never,
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 3 }));
    expect([tries.length, await job.getState(), job.failedReason]).toEqual([3, 'failed', 'nobody can handle 700']);
    expect(job.stacktrace).toEqual([error.stack, error.stack, error.stack]);
    expect(await app.iterations.status(job)).toMatchObject({ processed: 700, cursor: 699, failures: 3 });
  });
});
