import type { Job } from 'bullmq';
import type { IterationContext } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import type { Queues, TestApp } from './app.js';
import { storyProcessor } from './story.js';
import { until } from './until.js';

export const LETTERS = 'abcdefghijkl';
/** The steps at which jobs wait when the outage begins. The jobs continue during the outage. */
export const STEPS = ['each f', 'each l', 'complete', 'interrupt retryIn', 'fail', 'checkpoints', 'signal'] as const;

/** The outcome of a job. */
export interface Outcome {
  readonly state: string;
  /** Failed tries of its items, as the library counts them. */
  readonly failures: number | undefined;
  /** Errors that BullMQ kept. */
  readonly errors: number;
  readonly attemptsMade: number;
  /** The letters that the job handled, in order. */
  readonly letters: string;
  readonly completes: number;
}

/** Jobs that meet an outage at every step of a run, and an idle worker. */
export class OutageJobs {
  readonly #events = new Map<string, string[]>();
  readonly #gates = new Map<string, Gate>(STEPS.map((step) => [step, new Gate()]));
  #jobs: Job[] = [];
  #begun = false;
  #aborted = false;
  #long = false;
  #thrown = false;

  private constructor(
    readonly app: TestApp,
    private readonly lockDuration: number,
  ) {}

  static async start(queues: Queues, worker: { lockDuration: number; stalledInterval: number }): Promise<OutageJobs> {
    let jobs: OutageJobs | undefined;
    const jobsOf = () => jobs as OutageJobs;
    const { type } = storyProcessor({
      build: ({ cursor }, enumerators) => enumerators.array([...LETTERS], { cursor: cursor as number | null }),
      each: (letter, context) => jobsOf().#each(letter, context),
      hook: (event, context) => jobsOf().#at(event, context),
    });
    const record = (event: string, context: IterationContext) => jobsOf().#record(event, context);
    const idle = storyProcessor({ each: record, hook: record }, { queue: 'idle' });
    const iteration = { worker: { concurrency: STEPS.length, ...worker }, checkpoint: { everyItems: 1 } };
    const app = await queues.start({ processors: [type, idle.type], queues: ['jobs', 'idle'], iteration });
    for (const name of ['jobs', 'idle']) app.queue(name).on('error', () => {}); // handled by the application
    jobs = new OutageJobs(app, worker.lockDuration);
    return jobs;
  }

  /** @returns the outcome of each job, by its step, and of a job that the idle worker gets afterwards. */
  async meet(
    outage: { begin(): Promise<void> | void; end(): Promise<void> | void },
    { long }: { long: boolean },
  ): Promise<Record<string, Outcome>> {
    this.#long = long;
    for (const step of STEPS) {
      const options = step === 'fail' ? { attempts: 2 } : {};
      this.#jobs.push((await this.app.queue().add('story', {}, { jobId: step, ...options })) as Job);
    }
    await Promise.all([...this.#gates.values()].map((gate) => gate.reached));
    await outage.begin();
    const begunAt = Date.now();
    this.#begun = true;
    for (const gate of this.#gates.values()) gate.open();
    const lastsMs = long ? this.lockDuration + 300 : 300;
    await until('the outage has lasted', () => Date.now() > begunAt + lastsMs);
    if (long) await until('a signal aborts during the outage', () => this.#aborted);
    await outage.end();
    const later = (await this.app.queue('idle').add('story', {}, { jobId: 'idle' })) as Job;
    const outcomes: Record<string, Outcome> = {};
    for (const job of [...this.#jobs, later]) outcomes[job.id as string] = await this.#outcomeOf(job);
    return outcomes;
  }

  async #outcomeOf(added: Job): Promise<Outcome> {
    const job = await this.app.settled(added);
    const id = job.id as string;
    const { failures } = (await this.app.iterations.status({ queue: job.queueName, id })) ?? {};
    const events = this.#events.get(id) ?? [];
    return {
      state: await job.getState(),
      failures,
      errors: job.stacktrace?.length ?? 0,
      attemptsMade: job.attemptsMade,
      letters: events.filter((event) => event.length === 1).join(''),
      completes: events.filter((event) => event === 'complete').length,
    };
  }

  async #each(letter: string, context: IterationContext): Promise<void> {
    await this.#at(`each ${letter}`, context);
    const { job, run } = context;
    if (job.id === 'interrupt retryIn' && letter === 'f' && context.interruptions === 0) context.retryIn(0);
    if (job.id === 'fail' && letter === 'f' && !this.#thrown) {
      this.#thrown = true;
      await this.#gates.get('fail')?.wait();
      throw new Error(`once, in run ${run}`);
    }
    if (job.id === 'signal' && letter === 'f' && run === 1) {
      context.signal.addEventListener('abort', () => {
        this.#aborted = true;
      });
      await this.#gates.get('signal')?.wait();
      if (this.#long) await until('the signal aborts', () => this.#aborted);
    }
    if (job.id === 'checkpoints') {
      if (letter === 'c') void this.#gates.get('checkpoints')?.wait();
      // Waits at each letter until the outage has begun, then continues without a pause.
      if (letter > 'c' && letter < 'k' && !this.#begun) await until('the outage has begun', () => this.#begun);
    }
    this.#record(letter, context);
  }

  async #at(event: string, context: IterationContext): Promise<void> {
    if (!event.startsWith('each')) this.#record(event, context);
    if (context.job.id === event) await this.#gates.get(event)?.wait();
  }

  #record(event: string, { job }: IterationContext): void {
    const id = job.id as string;
    this.#events.set(id, [...(this.#events.get(id) ?? []), event]);
  }
}
