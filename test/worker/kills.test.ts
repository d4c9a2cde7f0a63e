import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkerConfig } from '../processes/worker.config.js';
import { backendsOf, Queues, type TestApp } from '../support/app.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { Lateness } from '../support/lateness.js';
import { WorkerProcess } from '../support/processes.js';

const reachable = backendsOf('killed workers');

// The tests run concurrently: they wait for processes, and one waits for its locks to expire.
describe('killed workers', () => {
  const processes: WorkerProcess[] = [];
  const places = new Map<string, { queues: Queues; app: TestApp }>();

  /** Opens a place on a backend for a test. */
  async function open(backend: (typeof reachable)[number], test: string): Promise<void> {
    const queues = new Queues(backend);
    await queues.open();
    queues.move();
    places.set(`${test} ${backend}`, { queues, app: await queues.start({ iteration: { workers: false } }) });
  }

  beforeAll(async () => {
    for (const backend of reachable) for (const test of ['takeover', 'build', 'rejection']) await open(backend, test);
  });
  afterAll(async () => {
    await Promise.all(processes.map((process) => process.kill()));
    for (const { queues } of places.values()) {
      await queues.closeApps();
      await queues.close();
    }
  });

  function place(name: string) {
    const { queues, app } = places.get(name) as { queues: Queues; app: TestApp };
    const spawn = (config: Omit<WorkerConfig, 'place'>) => {
      const postgresQueue = queues.backend === 'postgres';
      const process = new WorkerProcess({ place: queues.place, postgresQueue, ...config });
      processes.push(process);
      return process;
    };
    const died = ({ child }: WorkerProcess) => endLocksOf(child.pid, queues);
    return { app, spawn, died, add: (jobId: string) => app.queue().add('numbers', {}, { jobId }) };
  }

  it.concurrent.each(reachable)(
    'R18: a worker takes over killed jobs within 10 s, loses nothing and repeats at most 1 s (%s)',
    async (backend) => {
      const { add, app, spawn } = place(`takeover ${backend}`);
      const jobs = await Promise.all(['one', 'two', 'three'].map(add));
      const config = { items: 600, itemMs: 10 };
      const first = spawn({ ...config, waitAt: 100 });
      await Promise.all(jobs.map(({ id }) => first.said(new RegExp(`^item ${id} 99$`))));
      const second = spawn(config);
      await second.said(/^ready$/);
      first.signal('SIGCONT');
      await Promise.all(jobs.map(({ id }) => first.said(new RegExp(`^item ${id} 250$`))));
      const lateness = new Lateness();
      await first.kill();
      await Promise.all(jobs.map(({ id }) => second.said(new RegExp(`^resume ${id}$`))));
      lateness.expectWithin(10_000, 'R18');
      for (const job of jobs) {
        await app.settled(job, ['completed']);
        const [before, after] = [first.items(job.id as string), second.items(job.id as string)];
        const [start = 0, last = 0] = [after[0], before.at(-1)];
        expect(before).toEqual(Array.from({ length: last + 1 }, (_, item) => item));
        expect(after).toEqual(Array.from({ length: config.items - start }, (_, item) => start + item));
        expect(start).toBeLessThanOrEqual(last + 1);
        expect(last + 1 - start).toBeLessThanOrEqual(1_000 / config.itemMs + 1);
        expect(await app.iterations.status(job)).toMatchObject({ run: 2, failures: 0, interruptions: 0, stalls: 1 });
      }
    },
  );

  it.concurrent.each(reachable)(
    'R11: a job calls start once when its first run dies before its first item (%s)',
    async (backend) => {
      const { add, app, died, spawn } = place(`build ${backend}`);
      const job = await add('killed');
      const config = { items: 3, itemMs: 1, crashAt: 'build', iteration: { worker: LASTING_LOCKS } } as const;
      const first = spawn(config);
      const second = spawn(config);
      await Promise.race([first, second].map((process) => process.exited.then(() => died(process))));
      await app.settled(job, ['completed']);
      expect([...first.lines, ...second.lines].filter((line) => /^(start|resume|complete) /.test(line))).toEqual([
        'start killed',
        'complete killed',
      ]);
      expect(await app.iterations.status(job)).toMatchObject({ processed: 3 });
    },
  );

  it.concurrent.each(reachable)(
    'an unhandled rejection is logged when it ends a worker, and another worker takes over (%s)',
    async (backend) => {
      const { add, app, died, spawn } = place(`rejection ${backend}`);
      const job = await add('killed');
      const iteration = { worker: LASTING_LOCKS };
      const first = spawn({ items: 5, itemMs: 20, crashAt: 'floating rejection', iteration });
      expect((await first.exited).code).toBe(1);
      await died(first);
      const logged = first.lines.find((line) => line.includes('unhandledRejection: nobody awaits me'));
      expect(logged).toContain('killed (jobs, numbers)');
      const second = spawn({ items: 5, itemMs: 1, iteration });
      await app.settled(job, ['completed']);
      expect(second.items('killed').at(-1)).toBe(4);
    },
  );
});
