import type { Job } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IterationOptions } from '../../lib/index.js';
import type { CrashConfig, CrashData } from '../processes/crashes.js';
import { BOTH, Queues, type TestApp } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

const QUEUES = ['storm', 'fails', 'skips', 'edges', 'shared', 'frozen'] as const;
const KILLS = { redis: 50, postgres: 8 } as const;
const DEADLINE_MS = 180_000;

// The tests of a backend wait for locks and new processes side by side.
describe.each(BOTH.filter((backend) => backend !== 'redis' || process.env.REDIS_URL))('crashes (%s)', (backend) => {
  const queues = new Queues(backend);
  const crews: Crew<CrashConfig>[] = [];
  let app: TestApp;

  beforeAll(async () => {
    await queues.open();
    queues.move();
    app = await queues.start({ queues: QUEUES, iteration: { workers: false } });
  });
  afterAll(async () => {
    await Promise.all(crews.map((crew) => crew.dismiss()));
    await queues.closeApps();
    await queues.close();
  });

  function crewOf(
    queue: (typeof QUEUES)[number],
    { size = 1, worker, ...iteration }: IterationOptions & { size?: number } = {},
  ): Crew<CrashConfig> {
    const { place } = queues;
    const config = {
      place,
      postgresQueue: backend === 'postgres',
      queue,
      iteration: { ...iteration, worker: { lockDuration: 1_000, stalledInterval: 250, ...worker } },
    };
    const crew = new Crew<CrashConfig>(config, 'crashes', size);
    crews.push(crew);
    return crew;
  }

  const add = (queue: (typeof QUEUES)[number], jobId: string, data: CrashData) =>
    app.queue(queue).add('any', data, { jobId });

  const ended = (crew: Crew<CrashConfig>, { queueName, id = '' }: Job, expected = 'completed') =>
    until(
      () => `${queueName} ${id} is ${expected}; it was said\n${crew.lines.slice(-40).join('\n')}`,
      async () => {
        const state = await app.queue(queueName).getJobState(id);
        if (state !== 'completed' && state !== 'failed') return undefined;
        expect(`${id} ${state}`).toBe(`${id} ${expected}`);
        return (await app.queue(queueName).getJob(id)) as Job | undefined;
      },
      DEADLINE_MS,
    );

  it.concurrent(
    `R18, R19: jobs killed ${KILLS[backend]} times at random, within a second of each start, complete; no item is blamed, and at most a second is repeated`,
    async () => {
      const itemMs = { quick: 5, slow: 100, long: 1_500 };
      const counts = { quick: 800, slow: 40, long: 2 };
      const jobs = await Promise.all(
        (['quick', 'slow', 'long'] as const).map((id) => add('storm', id, { items: counts[id], itemMs: itemMs[id] })),
      );
      const crew = crewOf('storm', { size: 3, worker: { concurrency: 3, lockDuration: 500, stalledInterval: 150 } });
      const random = randomOf(19);
      const working = () => crew.alive.filter(({ lines }) => lines.some((line) => /^(start|resume) /.test(line)));
      for (let kill = 0; kill < KILLS[backend]; kill++) {
        await until(
          () => `jobs are taken over after ${kill} kills; it was said\n${crew.lines.slice(-40).join('\n')}`,
          () => working().length > 0,
        );
        await lasts(random() * (kill < 20 ? 900 : 200));
        await Promise.all(working().map((process) => process.kill()));
      }
      const done = await Promise.all(jobs.map((job) => ended(crew, job)));

      expect(done.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1, 1]);
      expect(crew.count(/^(fail|skip) /)).toBe(0);
      for (const id of ['quick', 'slow', 'long'] as const) {
        expect([...new Set(crew.items(id))]).toEqual(Array.from({ length: counts[id] }, (_, item) => item));
        expect(crew.count(new RegExp(`^complete ${id}$`))).toBe(1);
        expect(Math.max(...repeated(crew.items(id)))).toBeLessThanOrEqual(1_000 / itemMs[id] + 1);
        expect(await app.iterations.status({ queue: 'storm', id })).toMatchObject({ failures: 0, skipped: 0 });
      }
    },
    DEADLINE_MS,
  );

  it.concurrent(
    'R19: an item that kills its process fails the job after three crashes in careful mode; retried by hand, it has a fresh budget',
    async () => {
      const job = await add('fails', 'fails', { items: 4, killers: { 2: 'kill' }, untilRun: 6 });
      const crew = crewOf('fails');
      const failed = await ended(crew, job, 'failed');
      expect(failed.failedReason).toMatch(
        /^The process ended 3 times \(runs 2, 3, 4\) while the item behind the cursor 1 /,
      );
      expect(crew.count(/^dies /)).toBe(4);
      expect(crew.items('fails')).toEqual([0, 1, 0, 1]);
      expect(crew.lines.filter((line) => /^(fail|end|complete) /.test(line))).toEqual([
        'fail fails CrashLoopError',
        'end fails fail',
      ]);

      await failed.retry('failed');
      await ended(crew, job);
      expect(crew.count(/^dies /)).toBe(5);
      expect(crew.items('fails')).toEqual([0, 1, 0, 1, 2, 3]);
    },
    DEADLINE_MS,
  );

  it.concurrent(
    "R19: with then: 'skip' it is skipped into the dead letters, be it first, last, within a page, a batch or a nested source, however it kills",
    async () => {
      const crew = crewOf('skips', { crashes: { limit: 1, then: 'skip' } });
      const killers = { 0: 'kill', 5: 'exit', 9: 'throw' } as const;
      const pages = await add('skips', 'pages', { source: 'pages', items: 10, killers });
      const nested = await add('skips', 'nested', { source: 'nested', items: 12, killers: { 3: 'kill' } });
      await Promise.all([pages, nested].map((job) => ended(crew, job)));

      const letters = await Promise.all(
        ['pages', 'nested'].map((id) => app.iterations.deadLetters({ queue: 'skips', id })),
      );
      expect(letters.map((of) => of.map(({ cursor, error, tries }) => [cursor, error.name, tries]))).toEqual([
        [0, 5, 9].map((cursor) => [cursor, 'CrashLoopError', 1]),
        [[expect.anything(), 'CrashLoopError', 1]],
      ]);
      expect(
        crew.lines
          .filter((line) => line.startsWith('skip '))
          .map((line) => line.split(' ', 3).join(' '))
          .sort(),
      ).toEqual(['skip nested 2,3', 'skip pages 0', 'skip pages 5', 'skip pages 9']);
      expect(crew.items('pages')).toEqual([1, 2, 3, 4, 6, 7, 8]);
      expect(crew.items('nested')).toEqual([0, 1, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11]);
    },
    DEADLINE_MS,
  );

  it.concurrent(
    'R19: a process that ends while the source is built, a hook runs or a page is fetched counts against no item',
    async () => {
      const crew = crewOf('edges', { crashes: { limit: 1 } });
      const dieIn = ['fetch', 'build', 'resume', 'fetch', 'complete'] as const;
      const job = await add('edges', 'edges', { source: 'pages', items: 10, dieIn });
      await ended(crew, job);
      expect(crew.processes.filter(({ child }) => child.signalCode === 'SIGKILL')).toHaveLength(dieIn.length);
      expect(crew.count(/^fail /)).toBe(0);
      expect([...new Set(crew.items('edges'))]).toEqual(Array.from({ length: 10 }, (_, item) => item));
      expect(crew.count(/^complete /)).toBe(1);
    },
    DEADLINE_MS,
  );

  it.concurrent(
    'R19: the other jobs of a process that a killer ends again and again are not blamed, however long their items take',
    async () => {
      const crew = crewOf('shared', { worker: { concurrency: 3 }, crashes: { limit: 2, then: 'skip' } });
      const jobs = await Promise.all([
        add('shared', 'guilty', { items: 5, killers: { 1: 'kill', 2: 'kill' } }),
        add('shared', 'slow', { items: 4, itemMs: 1_500 }),
        add('shared', 'slower', { items: 3, itemMs: 2_500 }),
      ]);
      const done = await Promise.all(jobs.map((job) => ended(crew, job)));
      expect(done.map(({ returnvalue }) => returnvalue)).toEqual([
        { processed: 3, skipped: 2 },
        { processed: 4, skipped: 0 },
        { processed: 3, skipped: 0 },
      ]);
      expect(crew.lines.filter((line) => line.startsWith('skip '))).toEqual(['skip guilty 1 1', 'skip guilty 2 2']);
      expect([...new Set(crew.items('guilty'))]).toEqual([0, 3, 4]);
    },
    DEADLINE_MS,
  );

  it.concurrent(
    'R19: processes that are frozen beyond their lock in the same item, again and again, and live on count for nothing',
    async () => {
      const job = await add('frozen', 'frozen', { items: 2, itemMs: 800 });
      const crew = crewOf('frozen', { size: 2 });
      const runnerOf = (run: number) =>
        until(
          () => `run ${run} begins an item; it was said\n${crew.lines.slice(-40).join('\n')}`,
          () =>
            crew.alive.find(({ lines }) => {
              const begun = lines.findIndex((line) =>
                run === 1 ? line === 'start frozen' : line === `resume frozen ${run}`,
              );
              return begun >= 0 && lines.slice(begun).includes('begins frozen 0');
            }),
        );
      await (await runnerOf(1)).kill();
      for (let run = 2; run <= 4; run++) {
        const runner = await runnerOf(run);
        runner.signal('SIGSTOP');
        await until(
          () => `run ${run} is taken over; it was said\n${crew.lines.slice(-40).join('\n')}`,
          () => crew.lines.includes(`resume frozen ${run + 1}`),
        );
        runner.signal('SIGCONT');
      }
      await ended(crew, job);
      expect(crew.count(/^(fail|skip) /)).toBe(0);
      expect([...new Set(crew.items('frozen'))].sort()).toEqual([0, 1]);
    },
    DEADLINE_MS,
  );
});

const lasts = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many items each run handled that had been handled before. */
function repeated(items: readonly number[]): number[] {
  let last = -1;
  return items.map((item) => {
    const again = last + 1 - item;
    last = Math.max(last, item);
    return again;
  });
}
