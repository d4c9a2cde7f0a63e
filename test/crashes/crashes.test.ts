import type { Job } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IterationOptions } from '../../lib/index.js';
import type { CrashConfig, CrashData } from '../processes/crashes.js';
import { backendsOf, Queues, type TestApp } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

const QUEUES = ['storm', 'fails', 'skips', 'edges', 'shared', 'frozen'] as const;
const KILLS = process.env.CI === 'true' ? ({ redis: 30, postgres: 6 } as const) : ({ redis: 16, postgres: 4 } as const);
/** Only the checkpoints that R19 needs: how far a run gets before it dies does not depend on a clock. */
const NO_CHECKPOINTS = { everyMs: 600_000 };

// The tests of a backend wait for new processes concurrently.
describe.each(backendsOf('crashes'))('crashes (%s)', (backend) => {
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
    { size = 1, lives = [], worker, ...iteration }: IterationOptions & { size?: number; lives?: number[] } = {},
  ): Crew<CrashConfig> {
    const { place } = queues;
    const config = {
      place,
      postgresQueue: backend === 'postgres',
      queue,
      iteration: { checkpoint: NO_CHECKPOINTS, ...iteration, worker: { ...LASTING_LOCKS, ...worker } },
    };
    const died = (pid: number | undefined) => endLocksOf(pid, queues, queue);
    const crew = new Crew<CrashConfig>((index) => ({ ...config, livesMs: lives[index] }), 'crashes', { size, died });
    crews.push(crew);
    return crew;
  }

  const add = (queue: (typeof QUEUES)[number], jobId: string, data: CrashData) =>
    app.queue(queue).add('any', data, { jobId });

  const ended = (crew: Crew<CrashConfig>, { queueName, id = '' }: Job, expected = 'completed') =>
    until(
      () => `${queueName} ${id} is ${expected}; the workers wrote\n${crew.lines.slice(-40).join('\n')}`,
      async () => {
        const state = await app.queue(queueName).getJobState(id);
        if (state !== 'completed' && state !== 'failed') return undefined;
        expect(`${id} ${state}`).toBe(`${id} ${expected}`);
        return (await app.queue(queueName).getJob(id)) as Job | undefined;
      },
    );

  it.concurrent(`R18, R19: jobs killed ${KILLS[backend]} times complete, blame no item, repeat <= 1 s`, async () => {
    const random = randomOf(19);
    const size = 3;
    // Two of the last processes may stay idle.
    const lives = Array.from({ length: KILLS[backend] + size - 1 }, (_, kill) => random() * (kill < 20 ? 900 : 200));
    const itemMs = { quick: 5, slow: 100, long: 1_500 };
    // More items than the killed processes can handle: no job is killed while it completes.
    const livesMs = lives.reduce((sum, ms) => sum + ms, 0);
    const counts = { quick: Math.ceil(livesMs / 5), slow: Math.ceil(livesMs / 100), long: 2 };
    const jobs = await Promise.all(
      (['quick', 'slow', 'long'] as const).map((id) => add('storm', id, { items: counts[id], itemMs: itemMs[id] })),
    );
    const crew = crewOf('storm', { size, lives, checkpoint: {}, worker: { concurrency: 3 } });
    const done = await Promise.all(jobs.map((job) => ended(crew, job)));

    expect(done.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1, 1]);
    expect(crew.killed).toBeGreaterThanOrEqual(KILLS[backend]);
    expect(crew.count(/^(fail|skip) /)).toBe(0);
    for (const id of ['quick', 'slow', 'long'] as const) {
      expect([...new Set(crew.items(id))]).toEqual(Array.from({ length: counts[id] }, (_, item) => item));
      expect(crew.count(new RegExp(`^complete ${id}$`))).toBe(1);
      expect(Math.max(...repeated(crew.items(id)))).toBeLessThanOrEqual(1_000 / itemMs[id] + 1);
      expect(await app.iterations.status({ queue: 'storm', id })).toMatchObject({ failures: 0, skipped: 0 });
    }
  });

  it.concurrent('R19: an item that kills its process 3 times fails the job; a retry has a fresh budget', async () => {
    const data = { items: 4, killers: { 2: 'kill' } } as const;
    const job = await add('fails', 'fails', data);
    const crew = crewOf('fails');
    const failed = await ended(crew, job, 'failed');
    const [, ...runs] =
      /^The process ended 3 times \(runs (\d+), (\d+), (\d+)\) while it handled the item after cursor 1, /.exec(
        failed.failedReason,
      ) ?? [];
    const deaths = deathsIn(crew, 'fails');
    expect(deaths.filter(({ isCareful }) => isCareful).map(({ run }) => `${run}`)).toEqual(runs);
    expect(deaths[0]).toMatchObject({ run: 1, isCareful: false });
    expect(crew.items('fails')).toEqual([0, 1, 0, 1]);
    expect(crew.lines.filter((line) => /^(fail|end|complete) /.test(line))).toEqual([
      'fail fails CrashLoopError',
      'end fails fail',
    ]);

    const { run } = await app.iterations.status({ queue: 'fails', id: 'fails' });
    await failed.updateData({ ...data, untilRun: run + 1 }); // the next run is the last one that dies
    await failed.retry('failed');
    await ended(crew, job);
    const runsOf = (of: typeof deaths) => of.map((death) => death.run);
    expect(runsOf(deathsIn(crew, 'fails'))).toEqual([...runsOf(deaths), run + 1]);
    expect(crew.items('fails')).toEqual([0, 1, 0, 1, 2, 3]);
  });

  it.concurrent("R19: with then: 'skip', an item that kills its process is a dead letter in any source", async () => {
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
    expect([...new Set(crew.items('pages'))]).toEqual([1, 2, 3, 4, 6, 7, 8]);
    expect([...new Set(crew.items('nested'))]).toEqual([0, 1, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (const id of ['pages', 'nested']) expect(repeatedThoughCareful(crew, id)).toEqual([]);
    expect(deathsIn(crew, 'pages').filter(({ isCareful }) => isCareful)).toHaveLength(3);
    expect(deathsIn(crew, 'nested').filter(({ isCareful }) => isCareful)).toHaveLength(1);
  });

  it.concurrent('R19: a process that dies in a build, a hook or a fetch counts against no item', async () => {
    const crew = crewOf('edges', { crashes: { limit: 1 } });
    const dieIn = ['fetch', 'build', 'resume', 'fetch', 'complete'] as const;
    const job = await add('edges', 'edges', { source: 'pages', items: 10, dieIn });
    await ended(crew, job);
    expect(crew.killed).toBe(dieIn.length);
    expect(crew.count(/^fail /)).toBe(0);
    expect([...new Set(crew.items('edges'))]).toEqual(Array.from({ length: 10 }, (_, item) => item));
    expect(crew.count(/^complete /)).toBe(1);
  });

  it.concurrent('R19: slow jobs in the process of an item that kills it repeatedly are not blamed', async () => {
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
  });

  it.concurrent('R19: processes that freeze beyond their lock in an item, and survive, count no crash', async () => {
    const job = await add('frozen', 'frozen', { items: 2, holds: 0 });
    // This lock must expire by time.
    const crew = crewOf('frozen', { size: 2, worker: { lockDuration: 3_000 } });
    /** The process of the latest run, once it has begun its first item. */
    const running = (beyond: number) =>
      until(
        () => `a run after ${beyond} begins an item; the workers wrote\n${crew.lines.slice(-40).join('\n')}`,
        () => {
          const begun = crew.alive.map((process) => ({ process, run: lastRun(process.lines, 'begins frozen 0') }));
          return begun.find(({ run }) => run > beyond && run === lastRun(crew.lines, '(?:resume|begins) frozen'));
        },
      );
    const first = await running(0);
    await first.process.kill();
    let last = first.run;
    for (let freeze = 0; freeze < 3; freeze++) {
      const { process, run } = await running(last);
      process.signal('SIGSTOP');
      last = run;
      await until(
        () => `another worker takes over run ${run}; the workers wrote\n${crew.lines.slice(-40).join('\n')}`,
        () => lastRun(crew.lines, 'resume frozen') > run,
      );
      process.signal('SIGCONT');
    }
    (await running(last)).process.signal('SIGCONT');
    await ended(crew, job);
    expect(crew.count(/^(fail|skip) /)).toBe(0);
    expect([...new Set(crew.items('frozen'))].sort()).toEqual([0, 1]);
  });
});

/** The deaths of a job's runs in an item, and whether the run was in careful mode. */
function deathsIn(crew: Crew<CrashConfig>, job: string): { run: number; isCareful: boolean }[] {
  return crew.lines.flatMap((line) => {
    const [, id, run, mode] = /^dies (\S+) \d+ (\d+) (\w+)$/.exec(line) ?? [];
    return id === job ? [{ run: Number(run), isCareful: mode === 'careful' }] : [];
  });
}

/** Items that were handled again although their run was in careful mode. */
function repeatedThoughCareful(crew: Crew<CrashConfig>, job: string): unknown[] {
  const handled = crew.handled(job);
  const again = handled.filter(({ items, run }) => handled.some((by) => by.run > run && by.items[0] === items[0]));
  return again.filter(({ isCareful }) => isCareful);
}

/** The highest run number at the end of a line that begins with `beginning`. */
function lastRun(lines: readonly string[], beginning: string): number {
  const pattern = new RegExp(`^${beginning}.* (\\d+)$`);
  return Math.max(0, ...lines.map((line) => Number(pattern.exec(line)?.[1] ?? 0)));
}

/** For each handled item, how many items it lies before the first item not handled so far. */
function repeated(items: readonly number[]): number[] {
  let last = -1;
  return items.map((item) => {
    const again = last + 1 - item;
    last = Math.max(last, item);
    return again;
  });
}
