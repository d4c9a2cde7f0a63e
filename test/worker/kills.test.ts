import { afterEach, expect, it } from 'vitest';
import type { WorkerConfig } from '../processes/worker.js';
import { BOTH, describeQueues, type TestApp } from '../support/app.js';
import { WorkerProcess } from '../support/processes.js';

describeQueues('kills', BOTH, (queues) => {
  const processes: WorkerProcess[] = [];
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.kill()));
  });

  const spawn = (config: Omit<WorkerConfig, 'place'>) => {
    const process = new WorkerProcess({ place: queues.place, postgresQueue: queues.backend === 'postgres', ...config });
    processes.push(process);
    return process;
  };

  async function addJob(options = {}): Promise<{ app: TestApp; id: string }> {
    const app = await queues.start({ iteration: { workers: false } });
    return { app, id: (await app.queue().add('numbers', {}, { jobId: 'killed', ...options })).id as string };
  }

  it('R18: killed three times, another worker takes over within 10 s each time, nothing is lost, and at most a second is repeated', async () => {
    const count = 1_000;
    const { app, id } = await addJob();
    const config = { items: count, itemMs: 5, iteration: { worker: { concurrency: 1 } } };
    let running = spawn(config);
    await running.said(/^item killed 100$/);
    const takeovers: number[] = [];
    const runs: number[][] = [];
    for (let kill = 1; kill <= 3; kill++) {
      const next = spawn(config);
      await next.said(/^ready$/);
      await running.said(new RegExp(`^item killed ${200 * kill}$`));
      const killed = Date.now();
      await running.kill();
      await next.said(/^resume killed$/);
      takeovers.push(Date.now() - killed);
      runs.push(running.items(id));
      running = next;
    }
    await running.said(/^complete killed$/);
    runs.push(running.items(id));

    expect(Math.max(...takeovers)).toBeLessThan(10_000);
    for (const [index, run] of runs.entries()) {
      const first = run[0] as number;
      expect(run).toEqual(Array.from({ length: run.length }, (_, offset) => first + offset));
      const lastOfBefore = runs[index - 1]?.at(-1) ?? -1;
      expect(first).toBeLessThanOrEqual(lastOfBefore + 1);
      expect(lastOfBefore + 1 - first).toBeLessThanOrEqual(1_000 / config.itemMs + 1);
    }
    expect(runs.at(-1)?.at(-1)).toBe(count - 1);
    expect(await (await app.settled((await app.queue().getJob(id)) as never)).getState()).toBe('completed');
    expect(await app.iterations.status({ queue: 'jobs', id })).toMatchObject({ run: 4, failures: 0, interruptions: 0 });
  }, 90_000);

  it('R11: the first run dies before it reached an item: start fires once in the life of the job', async () => {
    const { app, id } = await addJob();
    const config = { items: 3, itemMs: 1, crashAt: 'build' } as const;
    const first = spawn(config);
    await first.exited;
    const second = spawn(config);
    await second.said(/^complete killed$/);

    expect([...first.lines, ...second.lines].filter((line) => /^(start|resume|complete) /.test(line))).toEqual([
      'start killed',
      'complete killed',
    ]);
    expect(await app.iterations.status({ queue: 'jobs', id })).toMatchObject({ processed: 3 });
  }, 60_000);

  it('a rejected promise that nobody awaited does not end the worker silently, and the job is taken over', async () => {
    const { id } = await addJob();
    const first = spawn({ items: 5, itemMs: 20, crashAt: 'floating rejection' });
    const { code } = await first.exited;
    expect(code).toBe(1);
    const told = first.lines.find((line) => line.includes('unhandledRejection: nobody awaits me'));
    expect(told).toContain('killed (jobs, numbers)');
    const second = spawn({ items: 5, itemMs: 1 });
    await second.said(/^complete killed$/);
    expect(second.items(id).at(-1)).toBe(4);
  }, 60_000);
});
