import type { Job, JobsOptions } from 'bullmq';
import { expect, it } from 'vitest';
import type { HeldData } from '../processes/held.js';
import type { WorkerConfig } from '../processes/worker.config.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { Lateness } from '../support/lateness.js';
import { WorkerProcess } from '../support/processes.js';
import { until } from '../support/until.js';

/** What an operator asks for, one after the other and within a moment. */
const ASKED = [
  'pause',
  'resume',
  'cancel',
  'restart',
  'tune',
  'pause, cancel',
  'cancel, pause',
  'pause, resume',
  'cancel, resume',
] as const;

type Asked = (typeof ASKED)[number];
type Request = 'pause' | 'resume' | 'cancel' | 'restart' | 'tune';

/** What becomes of a job: its state in the end, and before it the status of the error if the request is refused. */
type Ends = Record<Asked, string>;

/** Of a job that a worker may take. */
const MEETS: Ends = {
  pause: 'paused',
  resume: 'completed',
  cancel: 'cancelled',
  restart: 'completed',
  tune: 'completed',
  'pause, cancel': 'cancelled',
  'cancel, pause': 'paused',
  'pause, resume': 'completed',
  'cancel, resume': 'completed',
};
const RUNS: Ends = { ...MEETS, restart: '409 completed' };
/** Success beats every request. */
const SUCCEEDS: Ends = { ...every('completed'), restart: '409 completed' };

interface Case {
  readonly state: string;
  readonly ends: Ends;
  readonly options?: JobsOptions;
  readonly data?: Partial<HeldData>;
  /** Brings the jobs from their queue to the state. */
  readonly bring?: (jobs: Jobs) => Promise<void>;
  /** A worker runs and holds the jobs while they are asked. `killed`: the worker is killed after the requests. */
  readonly worker?: 'holds' | 'killed';
}

/** Every state of a job that a request may meet. */
const CASES: readonly Case[] = [
  { state: 'waiting', ends: MEETS },
  { state: 'prioritized', options: { priority: 5 }, ends: MEETS },
  {
    state: 'delayed',
    options: { delay: 3_600_000 },
    ends: { ...MEETS, resume: 'waiting', restart: 'waiting', tune: 'waiting', 'pause, resume': 'waiting' },
  },
  { state: 'in a paused queue', bring: (jobs) => jobs.queue.pause(), ends: MEETS },
  { state: 'running its first item', worker: 'holds', data: { holdAt: 0 }, ends: RUNS },
  { state: 'running', worker: 'holds', data: { holdAt: 2 }, ends: RUNS },
  { state: 'running, and killed', worker: 'killed', data: { holdAt: 2 }, ends: RUNS },
  { state: 'running its last item', worker: 'holds', data: { holdAt: 4 }, ends: SUCCEEDS },
  { state: 'in its complete hook', worker: 'holds', data: { holdAt: 'complete' }, ends: SUCCEEDS },
  {
    state: 'in its complete hook, and killed',
    worker: 'killed',
    data: { holdAt: 'complete' },
    ends: {
      ...SUCCEEDS,
      pause: 'paused',
      cancel: 'cancelled',
      'pause, cancel': 'cancelled',
      'cancel, pause': 'paused',
    },
  },
  { state: 'interrupted', data: { holdAt: 2, untilAsked: true }, bring: (jobs) => jobs.interrupt(), ends: MEETS },
  {
    state: 'waiting in retryIn',
    data: { second: 'retries in an hour' },
    bring: (jobs) => jobs.run('interrupted'),
    ends: { ...MEETS, resume: 'interrupted', tune: 'interrupted', 'pause, resume': 'interrupted' },
  },
  { state: 'paused', bring: (jobs) => jobs.pause(), ends: { ...MEETS, tune: 'paused' } },
  {
    state: 'failed',
    data: { second: 'throws' },
    bring: (jobs) => jobs.run('failed'),
    ends: { ...every('409 failed'), restart: 'completed' },
  },
  {
    state: 'completed',
    bring: (jobs) => jobs.run('completed'),
    ends: { ...every('409 completed'), restart: 'completed' },
  },
  { state: 'cancelled', bring: (jobs) => jobs.cancel(), ends: { ...every('409 cancelled'), restart: 'completed' } },
  { state: 'removed', bring: (jobs) => jobs.remove(), ends: every('404 gone') },
];

const ITEMS = [0, 1, 2, 3, 4];

describeQueues('control of a worker from another process', BACKENDS, (queues) => {
  it.each(CASES)('R28, R31: every request to a job that is $state has its effect', async (each) => {
    const web = await queues.start({ iteration: { workers: false } });
    const jobs = new Jobs(web, queues, each);
    try {
      await jobs.add();
      await each.bring?.(jobs);
      if (each.worker) await jobs.hold();
      const outcomes = await Promise.all(ASKED.map((asked) => jobs.ask(asked)));
      await jobs.release();
      for (const [index, asked] of ASKED.entries()) {
        const { refused, requests } = outcomes[index] as Outcome;
        const [end, status = ''] = each.ends[asked].split(' ').reverse();
        expect(refused, asked).toBe(status);
        if (end === 'gone') continue;
        await jobs.becomes(asked, end as string);
        const history = await web.iterations.requests(jobs.of(asked));
        expect(history.slice(history.length - requests.length), asked).toMatchObject(requests);
        if (asked === 'tune' && !refused)
          expect((await web.iterations.status(jobs.of(asked))).settings).toMatchObject({ itemsPerSecond: 1_000 });
      }
      await jobs.expectItems();
    } finally {
      await jobs.end();
    }
  });

  it.each(['pause', 'cancel'] as const)('R28: a running job stops within two seconds of %s', async (request) => {
    const web = await queues.start({ iteration: { workers: false } });
    const config: WorkerConfig = { ...configOf(queues), items: 1_000_000, itemMs: 2, saysSaves: true };
    const worker = new WorkerProcess(config);
    try {
      const job = await web.queue().add('numbers', {}, { jobId: 'long' });
      await worker.said(/^item long 100 /);
      const lateness = new Lateness();
      const askedAt = Date.now();
      await web.iterations[request](job);
      await until('it has stopped', async () => ['delayed', 'failed'].includes(await job.getState()));
      const last = worker.lines.findLast((line) => line.startsWith('item long')) as string;
      lateness.expectWithin(2_000, 'R28', Number(last.split(' ')[3]) - askedAt);
    } finally {
      await worker.kill();
    }
  });
});

interface Outcome {
  /** The HTTP status of the error of the request; '' when it was accepted. */
  readonly refused: string;
  /** What the history must end with. */
  readonly requests: readonly { readonly type: Request }[];
}

/** One job for each of the requests, and the workers that run them. */
class Jobs {
  readonly #workers: WorkerProcess[] = [];
  readonly #jobs = new Map<Asked, Job>();

  constructor(
    private readonly web: TestApp,
    private readonly queues: Queues,
    private readonly each: Case,
  ) {}

  get queue() {
    return this.web.queue();
  }

  of(asked: Asked): Job {
    return this.#jobs.get(asked) as Job;
  }

  async add(): Promise<void> {
    const { data, options, worker } = this.each;
    for (const asked of ASKED) {
      const stops = /(pause|cancel)$/.test(asked);
      const own: HeldData = { items: ITEMS.length, untilAsked: worker === 'holds' && stops, ...data };
      this.#jobs.set(asked, await this.queue.add('held', own, { jobId: asked.replace(', ', '-'), ...options }));
    }
  }

  /** A worker runs the jobs until they are there; then no worker is left. */
  async run(state: string): Promise<void> {
    const worker = this.#start();
    for (const asked of ASKED) await this.becomes(asked, state);
    await stop(worker);
  }

  /** A deploy: the worker puts the jobs back. */
  async interrupt(): Promise<void> {
    const worker = await this.hold();
    worker.signal('SIGCONT');
    await stop(worker);
    for (const asked of ASKED) await this.becomes(asked, 'interrupted');
  }

  async pause(): Promise<void> {
    for (const job of this.#jobs.values()) await this.web.iterations.pause(job);
    const worker = this.#start();
    for (const job of this.#jobs.values()) await until('the job is put away', () => job.isDelayed());
    await stop(worker);
  }

  async cancel(): Promise<void> {
    for (const job of this.#jobs.values()) await this.web.iterations.cancel(job);
    await this.run('cancelled');
  }

  async remove(): Promise<void> {
    for (const job of this.#jobs.values()) await job.remove();
  }

  /** A worker runs all jobs, and holds them where their data says. */
  async hold(): Promise<WorkerProcess> {
    const worker = this.#start();
    for (const job of this.#jobs.values()) await worker.said(new RegExp(`^held ${job.id}$`));
    return worker;
  }

  /** Asks, and looks at what the status shows at once. */
  async ask(asked: Asked): Promise<Outcome> {
    const { iterations } = this.web;
    const job = this.of(asked);
    const { state: before } = await iterations.status(job).catch(() => ({ state: 'gone' }));
    const requests: { type: Request }[] = [];
    for (const type of asked.split(', ') as Request[]) {
      try {
        await (type === 'tune' ? iterations.tune(job, { itemsPerSecond: 1_000 }) : iterations[type](job));
      } catch (error) {
        return { refused: String((error as { statusCode?: number }).statusCode), requests };
      }
      // What changes nothing is not in the history.
      const changes = type !== 'resume' || requests.length > 0 || before === 'paused';
      if (changes && !(type === 'pause' && before === 'paused' && requests.length === 0)) requests.push({ type });
    }
    const { state } = await iterations.status(job);
    if (asked.endsWith('pause')) expect(state, asked).toBe(this.each.worker ? 'pausing' : 'paused');
    if (asked.endsWith('cancel')) expect(state, asked).toBe('cancelling');
    return { refused: '', requests };
  }

  /** The worker continues, or the next one begins. */
  async release(): Promise<void> {
    const [holding] = this.each.worker ? this.#workers : [];
    if (this.each.worker === 'holds') return void holding?.signal('SIGCONT');
    if (holding) {
      await holding.kill();
      await endLocksOf(holding.child.pid, this.queues);
    }
    await this.queue.resume();
    this.#start();
  }

  async becomes(asked: Asked, state: string): Promise<void> {
    let found = '';
    await until(
      () => `the job of "${asked}" is ${state}; it is ${found}`,
      async () => {
        found = (await this.web.iterations.status(this.of(asked))).state;
        return found === state;
      },
    );
  }

  /** What is not finished is resumed: nothing was lost or repeated, and no job that was to stop has handled an item more. */
  async expectItems(): Promise<void> {
    for (const asked of ASKED) {
      const job = this.of(asked);
      const end = this.each.ends[asked].split(' ').at(-1) as string;
      if (end === 'gone') continue;
      if (end === 'paused') await this.web.iterations.resume(job);
      if (await job.isDelayed()) await job.promote(); // a delay of its own
      const finishes = end === 'paused' || end === 'waiting' || end === 'interrupted';
      if (finishes) await this.becomes(asked, 'completed');
      const lives = this.#itemsOf(job);
      const isAnew = asked === 'restart' && end === 'completed' && lives.length > 1;
      expect(lives.length, asked).toBeLessThanOrEqual(isAnew ? 2 : 1);
      for (const items of lives) expect(items, asked).toEqual(ITEMS.slice(0, items.length));
      if (finishes || end === 'completed') expect(lives.at(-1), asked).toEqual(ITEMS);
      else if (this.each.data?.holdAt !== 'complete') expect(lives.flat().length, asked).toBeLessThan(ITEMS.length);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }

  /** The items of each life of a job, in order. */
  #itemsOf(job: Job): number[][] {
    const lives: number[][] = [];
    for (const item of this.#workers.flatMap((worker) => worker.items(job.id as string))) {
      if (item === 0 || lives.length === 0) lives.push([]);
      lives.at(-1)?.push(item);
    }
    return lives;
  }

  #start(): WorkerProcess {
    const worker = new WorkerProcess(configOf(this.queues), 'held');
    this.#workers.push(worker);
    return worker;
  }
}

async function stop(worker: WorkerProcess): Promise<void> {
  worker.signal('SIGTERM');
  await worker.exited;
}

function configOf(queues: Queues): WorkerConfig {
  return {
    place: queues.place,
    postgresQueue: queues.backend === 'postgres',
    iteration: { worker: { ...LASTING_LOCKS, concurrency: ASKED.length } },
  };
}

function every(end: string): Ends {
  return Object.fromEntries(ASKED.map((asked) => [asked, end])) as Ends;
}
