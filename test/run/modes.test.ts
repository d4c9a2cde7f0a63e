import {
  type DeduplicationOptions,
  FlowProducer,
  type Job,
  type QueueOptions,
  type RepeatOptions,
  UnrecoverableError,
} from 'bullmq';
import { expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { documentOf, tableUnder } from '../support/markdown.js';
import { interrupted, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const document = documentOf('docs/bullmq.md');

type Place = 'active' | 'interrupted' | 'parked';
const PLACES: readonly Place[] = ['active', 'interrupted', 'parked'];
const LONG_MS = 600_000;

interface Handled {
  readonly id: string;
  readonly letter: string;
}

/** A job `abc` that is active, interrupted or parked after `a`, and that holds at `c` until the test lets it end. */
class Started {
  readonly #handled: Handled[] = [];
  readonly processor;
  readonly #active = new Gate();
  readonly #last = new Gate();
  readonly #starts: string[] = [];
  #app!: TestApp;
  job!: Job;

  constructor(
    private readonly queues: Queues,
    private readonly place: Place,
    fails = false,
  ) {
    this.processor = storyProcessor(
      {
        each: async (letter, context) => {
          if (letter === 'a' && place === 'parked' && context.run === 1) context.retryIn(LONG_MS);
          if (letter === 'b' && place !== 'parked' && context.run === 1) {
            void this.#active.wait();
            if (place === 'interrupted') await interrupted(context);
            else await this.#last.wait();
          }
          if (letter === 'c') await this.#last.wait();
          this.#handled.push({ id: context.job.id as string, letter });
          if (letter === 'c' && fails) throw new UnrecoverableError('it cannot be');
        },
        hook: (event, { job }) => {
          if (event === 'start') {
            this.#starts.push(job.id as string);
            this.#handled.push({ id: job.id as string, letter: '^' });
          }
          if (event === 'complete' || event.startsWith('fail'))
            this.#handled.push({ id: job.id as string, letter: '|' });
        },
      },
      { worker: { concurrency: 3 } },
    );
  }

  /** The letters that this job handled, in order, and `|` at its end. */
  get own(): string {
    return this.#handled
      .filter(({ id, letter }) => id === this.job.id && letter !== '^')
      .map(({ letter }) => letter)
      .join('');
  }

  /** The letters of other jobs: of those that began before this job ended, and of those that began later. */
  get others(): { readonly beside: readonly string[]; readonly afterwards: readonly string[] } {
    const end = this.#handled.findIndex(({ id, letter }) => id === this.job.id && letter === '|');
    const begun = new Set(this.#handled.slice(0, end).map(({ id }) => id));
    const others = this.#handled.filter(({ id, letter }) => id !== this.job.id && !'^|'.includes(letter));
    const lettersOf = (isBeside: boolean) =>
      others.filter(({ id }) => begun.has(id) === isBeside).map(({ letter }) => letter);
    return { beside: lettersOf(true), afterwards: lettersOf(false) };
  }

  /** Adds the job with `add` and returns the application that controls it. */
  async begin(add: (app: TestApp) => Promise<Job>): Promise<TestApp> {
    const { type } = this.processor;
    this.#app = await this.queues.start({ processors: [type] });
    this.job = await add(this.#app);
    if (this.place === 'parked') await this.#app.settled(this.job, ['delayed']);
    else await this.#active.reached;
    if (this.place === 'interrupted') {
      await this.#app.close();
      this.#app = await this.queues.start({ iteration: { workers: false } });
      expect(await this.#app.queue().getJobState(this.job.id as string)).toBe('waiting');
    }
    return this.#app;
  }

  /** Lets the job end when all jobs that may run beside it have started. */
  async end(): Promise<void> {
    if (this.place === 'parked') await this.job.promote();
    if (this.place === 'interrupted') this.#app = await this.queues.start({ processors: [this.processor.type] });
    const queue = this.#app.queue();
    // Read in the order in which a job moves, so that no moving job is missed.
    await until('all jobs that may run beside it have started', async () => {
      const delayed = (await queue.getDelayed()) as Job[];
      const { waiting = 0, prioritized = 0 } = await queue.getJobCounts('waiting', 'prioritized');
      const active = (await queue.getActive()) as Job[];
      const begun = active.every(({ id }) => this.#starts.includes(id as string));
      const isLater = ({ attemptsStarted, delay }: Job) => attemptsStarted > 0 || delay > LONG_MS / 2;
      return waiting + prioritized === 0 && begun && delayed.every(isLater);
    });
    this.#last.open();
    await this.#app.settled(this.job);
    expect(this.own).toBe('abc|'); // each item once, complete once
    expect(this.#starts.filter((id) => id === this.job.id)).toEqual([this.job.id]);
  }

  /** Waits until the flow's parent has the state of this outcome. */
  async settledParent(parent: Job, outcome: string): Promise<void> {
    const states: Record<string, string> = { runs: 'completed', fails: 'failed', 'waits for ever': 'waiting-children' };
    await this.#app.settled(parent, [states[outcome] as string]);
  }

  async emptied(): Promise<void> {
    await until('the queue is empty', async () => {
      const counts = await this.#app
        .queue()
        .getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'waiting-children');
      return Object.values(counts).every((count) => count === 0);
    });
  }
}

/** Until a job has looked for its predecessor, and is delayed to look again. */
async function waitsForPredecessor(app: TestApp, { id }: Job): Promise<void> {
  await until('the job waits for its predecessor', async () => {
    const job = (await app.queue().getJob(id as string)) as Job;
    return job.attemptsStarted > 0 && (await job.isDelayed());
  });
}

describeQueues('two triggers with the deduplication id of a started job', BACKENDS, (queues) => {
  const rows = tableUnder(document, 'Deduplication').flatMap(({ mode = '', ...cells }) =>
    PLACES.map((place) => [mode, place, cells[place] as string] as const),
  );

  it.each(rows)('R5: %s while %s: %s', async (mode, place, outcome) => {
    const deduplication = optionsOf(mode, { id: 'one' }) as unknown as DeduplicationOptions;
    const started = new Started(queues, place);
    const app = await started.begin((own) => own.queue().add('story', { letters: 'abc' }, { deduplication }));
    const delay = deduplication.reschedule ? 300 : 0;
    const trigger = (letters: string) => app.queue().add('story', { letters }, { deduplication, delay });
    const first = await trigger('x');
    // While it looks for its predecessor it is active, and BullMQ would keep the next trigger until it ends.
    if (place === 'parked' && deduplication.keepLastIfActive) await waitsForPredecessor(app, first);
    await trigger('y');
    if (place === 'parked') {
      const { delay: left } = (await app.queue().getJob(started.job.id as string)) as Job;
      expect(left).toBeGreaterThan(LONG_MS / 2); // retryIn is kept
    }
    await started.end();
    await started.emptied();
    expect(outcomeOf(started)).toBe(outcome);
  });
});

describeQueues('a job scheduler that changes while its job is started', BACKENDS, (queues) => {
  const given = () => ({ yearly: '0 0 1 1 *', past: Date.now() - 10_000, later: Date.now() + LONG_MS });
  const rows = tableUnder(document, 'Job schedulers').flatMap(({ scheduler = '', ...cells }) =>
    PLACES.map((place) => [scheduler, place, cells[place] as string] as const),
  );

  it.each(rows)('R5: %s while %s: %s', async (scheduler, place, outcome) => {
    expect(outcome).toBe('kept');
    const repeat = optionsOf(scheduler, given()) as RepeatOptions;
    const template = { name: 'story', data: { letters: 'abc' } };
    const started = new Started(queues, place);
    const app = await started.begin(async (own) => {
      const job = (await own.queue().upsertJobScheduler('nightly', repeat, template)) as Job;
      // The worker may have taken a job that is due: such a job cannot be promoted.
      const isDelayed = async () => (await own.queue().getJobState(job.id as string)) === 'delayed';
      if (await isDelayed()) await job.promote().catch(async (error) => expect(await isDelayed(), error).toBe(false));
      return job;
    });
    const queue = app.queue();
    await queue.upsertJobScheduler('nightly', repeat, template);
    await nextMillisecond(); // BullMQ refuses two jobs of a scheduler that are due immediately, in the same one
    const changed = repeat.every === undefined ? { pattern: '0 0 2 1 *' } : { every: LONG_MS * 2 };
    await queue.upsertJobScheduler('nightly', { ...repeat, ...changed }, { ...template, data: { letters: 'xyz' } });
    await queue.removeJobScheduler('nightly');
    await started.end();
  });
});

async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  await until('the clock moves', () => Date.now() > now);
}

describeQueues('a child of a flow', BACKENDS, (queues) => {
  const rows = tableUnder(document, 'Flows').flatMap(({ child = '', ...cells }) =>
    PLACES.map((place) => [child, place, cells[place] as string] as const),
  );

  it.each(rows)('R5: child %s after being %s: parent %s', async (child, place, outcome) => {
    const [, ending, options = '{}'] = /^(completes|fails)(?:, `(.*)`)?$/.exec(child) ?? [];
    const started = new Started(queues, place, ending === 'fails');
    let parent!: Job;
    const app = await started.begin(async (own) => {
      const { connection, prefix } = queues.place as { connection: object; prefix?: string };
      const flows = new FlowProducer({ connection, prefix } as QueueOptions);
      const opts = optionsOf(options, {});
      const children = [{ name: 'story', queueName: 'jobs', data: { letters: 'abc' }, opts }];
      const flow = await flows.add({ name: 'story', queueName: 'jobs', data: { letters: 'xy' }, children });
      await flows.close();
      parent = flow.job as Job;
      return own.queue().getJob(flow.children?.[0]?.job.id as string) as Promise<Job>;
    });
    expect(await app.queue().getJobState(parent.id as string)).toBe('waiting-children');
    await started.end();
    await started.settledParent(parent, outcome);
    expect(started.others.beside).toEqual([]);
    expect(started.others.afterwards.join('')).toBe(outcome === 'runs' ? 'xy' : '');
  });
});

if (!BACKENDS.includes('postgres')) {
  describeQueues('BullMQ 5', ['redis'], (queues) => {
    it('R23: job.discard() fails the job without a retry', async () => {
      const { type, story } = storyProcessor({
        each: (_, { job }) => {
          (job as unknown as { discard(): void }).discard();
          throw new Error('no further try');
        },
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.iterations.enqueue(type, { letters: 'ab' }, { attempts: 3 });
      expect(await (await app.settled(job as Job)).getState()).toBe('failed');
      expect(story).toEqual(['start', 'fail no further try', 'end fail']);
    });
  });
}

/** The outcome of the triggers, in the words of the table. */
function outcomeOf({ others: { beside, afterwards } }: Started): string {
  const triggers = [...beside, ...afterwards];
  if (triggers.length === 0) return 'dropped';
  const runs = triggers.length === 1 ? 'runs' : 'run';
  return `${triggers.join(' and ')} ${runs} ${beside.length === 0 ? 'afterwards' : 'beside it'}`;
}

/** `{ id, ttl: 600000 }` as an object; names are replaced by their values in `given`. */
function optionsOf(mode: string, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pairs = mode
    .replaceAll(/[{}` ]/g, '')
    .split(',')
    .filter(Boolean)
    .map((pair) => pair.split(':') as [string, string?]);
  return Object.fromEntries(
    pairs.map(([name, value = name]) => [name, value in given ? given[value] : JSON.parse(value)]),
  );
}
