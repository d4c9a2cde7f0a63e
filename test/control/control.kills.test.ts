import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import type { WorkerConfig } from '../processes/worker.config.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { WorkerProcess } from '../support/processes.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

/** `CONTROL_ROUNDS=20` proves more. */
const ROUNDS = Number(process.env.CONTROL_ROUNDS ?? (process.env.CI ? 2 : 1));
/** A worker is killed within this time after the request. */
const KILLED_WITHIN_MS = 1_000;

describeQueues('requests from a process without workers', BACKENDS, (queues) => {
  it(`R28: a request is met although the worker is killed in the second after it, ${ROUNDS} times`, async () => {
    const seed = Number(process.env.CONTROL_SEED ?? Date.now() % 100_000);
    const random = randomOf(seed);
    const web = await queues.start({ iteration: { workers: false } });
    const { iterations } = web;
    const processes: WorkerProcess[] = [];
    const config: WorkerConfig = {
      place: queues.place,
      postgresQueue: queues.backend === 'postgres',
      items: 1_000_000,
      itemMs: 2,
      iteration: { worker: { ...LASTING_LOCKS, concurrency: 3 } },
    };
    const spawn = () => processes[processes.push(new WorkerProcess(config)) - 1] as WorkerProcess;
    const kill = async (worker: WorkerProcess) => {
      await delay(random() * KILLED_WITHIN_MS);
      await worker.kill();
      await endLocksOf(worker.child.pid, queues);
    };
    const itemsOf = ({ id }: Job) => processes.flatMap((process) => process.items(id as string));
    const becomes = (job: Job, state: string) =>
      until(
        () => `the job is ${state} (seed ${seed})`,
        async () => (await iterations.status(job)).state === state,
      );
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const job = await web.queue().add('numbers', {}, { jobId: `job-${round}` });
        const first = spawn();
        await first.said(new RegExp(`^item ${job.id} 20$`));
        await iterations.pause(job, { by: 'anna' });
        await kill(first);

        const second = spawn();
        await until('the job is put away', () => job.isDelayed());
        expect(await iterations.status(job)).toMatchObject({ state: 'paused', request: { type: 'pause', by: 'anna' } });
        const paused = itemsOf(job).length;
        const other = await web.queue().add('numbers', {}, { jobId: `other-${round}` });
        await second.said(new RegExp(`^item ${other.id} 20$`));
        expect(itemsOf(job)).toHaveLength(paused);
        await iterations.cancel(other);

        await iterations.resume(job);
        await second.said(new RegExp(`^item ${job.id} `));
        await iterations.cancel(job, 'enough');
        await kill(second);
        const third = spawn();
        await becomes(job, 'cancelled');
        await becomes(other, 'cancelled');
        expect((await web.queue().getJob(job.id as string))?.failedReason).toBe('The job was cancelled: enough');

        await iterations.restart(job, { cursor: 499 });
        await third.said(new RegExp(`^item ${job.id} 500$`));
        await iterations.pause(job);
        await until('the job is put away', () => job.isDelayed());
        await kill(third);
        const items = [...new Set(itemsOf(job))].sort((one, next) => one - next);
        const [before, after] = [items.filter((item) => item < 500), items.filter((item) => item >= 500)];
        expect(before).toEqual(Array.from({ length: before.length }, (_, index) => index));
        expect(after).toEqual(Array.from({ length: after.length }, (_, index) => 500 + index));
        await job.remove();
      }
    } finally {
      await Promise.all(processes.map((process) => process.kill()));
    }
  });
});
