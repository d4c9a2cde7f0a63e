import type { DeduplicationOptions, Job } from 'bullmq';
import { expect, it } from 'vitest';
import { BOTH, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { documentOf, tableUnder } from '../support/markdown.js';
import { interrupted, storyProcessor } from '../support/story.js';
import { Gate, until } from '../support/until.js';

const document = documentOf('docs/bullmq.md');

type Place = 'active' | 'interrupted' | 'parked';
const PLACES: readonly Place[] = ['active', 'interrupted', 'parked'];
const LONG_MS = 600_000;

/** A job `abc` that has finished `a` when it is active, interrupted or parked, and that holds at `c` until its end is allowed. */
class Started {
  /** What was handled, in order: the job's own letters, those of triggers, and `|` where the job ended. */
  readonly handled: string[] = [];
  readonly processor;
  readonly #active = new Gate();
  readonly #last = new Gate();
  readonly #starts: string[] = [];
  #app!: TestApp;
  job!: Job;

  constructor(
    private readonly queues: Queues,
    private readonly place: Place,
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
          this.handled.push(letter);
        },
        hook: (event, { job }) => {
          if (event === 'start') this.#starts.push(job.id as string);
          if (event === 'complete' && job.id === this.job.id) this.handled.push('|');
        },
      },
      { worker: { concurrency: 3 } },
    );
  }

  /** Adds the job by `add`, and gives the application to work on it with. */
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

  /** Lets the job end when all that could run beside it has been looked at, and waits until the queue is empty. */
  async end(): Promise<void> {
    if (this.place === 'parked') await this.job.promote();
    if (this.place === 'interrupted') this.#app = await this.queues.start({ processors: [this.processor.type] });
    const queue = this.#app.queue();
    await until('all that may run beside it has been started', async () => {
      const { waiting = 0, prioritized = 0 } = await queue.getJobCounts('waiting', 'prioritized');
      const delayed = (await queue.getDelayed()) as Job[];
      return waiting + prioritized === 0 && delayed.every(({ attemptsStarted }) => attemptsStarted > 0);
    });
    this.#last.open();
    await this.#app.settled(this.job);
    await until('the queue is empty', async () => {
      const counts = await queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'waiting-children');
      return Object.values(counts).every((count) => count === 0);
    });
    const own = this.handled.filter((letter) => 'abc|'.includes(letter));
    expect(own.join('')).toBe('abc|'); // each item once, complete once
    expect(this.#starts.filter((id) => id === this.job.id)).toEqual([this.job.id]);
  }
}

describeQueues('deduplication', BOTH, (queues) => {
  const rows = tableUnder(document, 'Deduplication').flatMap(({ mode = '', ...cells }) =>
    PLACES.map((place) => [mode, place, cells[place] as string] as const),
  );

  it.each(rows)('R5: %s of a job that is %s: %s', async (mode, place, outcome) => {
    const deduplication = optionsOf(mode, { id: 'one' }) as unknown as DeduplicationOptions;
    const started = new Started(queues, place);
    const app = await started.begin((own) => own.queue().add('story', { letters: 'abc' }, { deduplication }));
    const delay = deduplication.reschedule ? 300 : 0;
    const trigger = (letters: string) => app.queue().add('story', { letters }, { deduplication, delay });
    const first = await trigger('x');
    // In the moment in which it looks for its predecessor it is active, and BullMQ keeps the next one for its end.
    if (place === 'parked' && deduplication.keepLastIfActive) await app.settled(first, ['delayed']);
    await trigger('y');
    if (place === 'parked') {
      const { delay: left } = (await app.queue().getJob(started.job.id as string)) as Job;
      expect(left).toBeGreaterThan(LONG_MS / 2); // retryIn is kept
    }
    await started.end();
    expect(outcomeOf(started.handled)).toBe(outcome);
  });
});

/** What became of the triggers. */
function outcomeOf(handled: readonly string[]): string {
  const triggers = handled.filter((letter) => 'xy'.includes(letter));
  if (triggers.length === 0) return 'dropped';
  const runs = triggers.length === 1 ? 'runs' : 'run';
  const after = triggers.every((letter) => handled.indexOf(letter) > handled.indexOf('|'));
  return `${triggers.join(' and ')} ${runs} ${after ? 'afterwards' : 'beside it'}`;
}

/** `{ id, ttl: 600000 }` as an object; shorthand names are given. */
function optionsOf(mode: string, given: Record<string, unknown>): Record<string, unknown> {
  const pairs = mode
    .replaceAll(/[{}` ]/g, '')
    .split(',')
    .map((pair) => pair.split(':') as [string, string?]);
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, value === undefined ? given[name] : JSON.parse(value)]),
  );
}
