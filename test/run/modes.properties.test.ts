import type { Job } from 'bullmq';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { IterationContext } from '../../lib/index.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const LETTERS = 'abcdefgh';
const SEQUENCES = 5;
const STEPS = [
  'add',
  'trigger',
  'upsert',
  'promote',
  'pause',
  'resume',
  'retry',
  'priority',
  'limit',
  'restart',
] as const;
type Step = (typeof STEPS)[number];

/** What happened, in order. */
type Event =
  | { readonly type: 'trigger' }
  | { readonly type: string; readonly job: string; readonly isTriggered: boolean };

describeQueues('random sequences of BullMQ commands and interruptions', BACKENDS, (queues) => {
  it('R1, R5, R11: each job calls start, complete and each item once, and no job or trigger is lost', async () => {
    const counts = new Map<string, number>();
    const sequence = fc.array(fc.constantFrom(...STEPS), { minLength: 8, maxLength: 18 });
    const property = fc.asyncProperty(sequence, fc.infiniteStream(fc.nat(99)), async (steps, dice) => {
      queues.move();
      const world = new World(queues, () => dice.next().value as number);
      try {
        await world.restart();
        await world.begin();
        for (const step of steps) await world.take(step);
        await world.finish();
        world.check();
      } finally {
        await queues.closeApps();
      }
      for (const { type } of world.events) counts.set(type, (counts.get(type) ?? 0) + 1);
    });
    const seed = Number(process.env.SEED ?? Date.now());
    await fc.assert(property, { endOnFailure: true, numRuns: SEQUENCES, seed });
    // Without these events the test proves nothing.
    for (const type of ['trigger', 'interrupt shutdown', 'interrupt retryIn', 'failed', 'complete'])
      expect(counts.get(type), type).toBeGreaterThan(0);
  });
});

class World {
  readonly events: Event[] = [];
  readonly #added: string[] = [];
  readonly #failed = new Set<string>();
  readonly #processor;
  #app!: TestApp;

  constructor(
    private readonly queues: Queues,
    private readonly dice: () => number,
  ) {
    const note = (type: string, { job }: IterationContext) =>
      this.events.push({ type, job: job.id as string, isTriggered: job.opts.deduplication !== undefined });
    this.#processor = storyProcessor(
      {
        each: async (letter, context) => {
          await new Promise((resolve) => setTimeout(resolve, this.dice() % 8));
          const id = `${context.job.id} ${letter}`;
          if (this.dice() < 8 && !this.#failed.has(id)) {
            this.#failed.add(id);
            note('failed', context as IterationContext);
            throw new Error('flaky');
          }
          if (this.dice() < 12) context.retryIn(this.dice());
          note(letter, context as IterationContext);
        },
        hook: (event, context) => void note(event, context as IterationContext),
      },
      { worker: { concurrency: 3 } },
    );
  }

  /** Adds jobs that are interrupted midway, whatever the random steps are. */
  async begin(): Promise<void> {
    for (const step of ['add', 'add', 'trigger'] as const) await this.take(step);
    await until('an item is handled', () => this.events.some(({ type }) => type === 'a'));
    await this.restart();
  }

  async restart(): Promise<void> {
    await this.#app?.close();
    this.#app = await this.queues.start({ processors: [this.#processor.type] });
  }

  async take(step: Step): Promise<void> {
    const queue = this.#app.queue();
    const [id] = this.#added.slice(this.dice() % Math.max(1, this.#added.length));
    const job = id === undefined ? undefined : ((await queue.getJob(id)) as Job | undefined);
    switch (step) {
      case 'add': {
        const opts = { attempts: 2, priority: this.dice() % 3, delay: (this.dice() % 2) * 50 };
        this.#added.push((await queue.add('story', { letters: LETTERS }, opts)).id as string);
        return;
      }
      case 'trigger':
        this.events.push({ type: 'trigger' });
        await queue.add(
          'story',
          { letters: LETTERS },
          { attempts: 2, deduplication: { id: 'one', keepLastIfActive: true } },
        );
        return;
      case 'upsert': {
        const template = { name: 'story', data: { letters: LETTERS }, opts: { attempts: 2 } };
        await queue.upsertJobScheduler('nightly', { every: 3_600_000, limit: 1 }, template);
        return;
      }
      case 'promote':
        return void (await job?.promote().catch(() => {})); // it is not delayed
      case 'pause':
        return queue.pause();
      case 'resume':
        return queue.resume();
      case 'retry':
        return void (await job?.retry('failed').catch(() => {})); // it has not failed
      case 'priority':
        return void (await job?.changePriority({ priority: this.dice() % 4 }).catch(() => {})); // it is active
      case 'limit':
        return queue.rateLimit(this.dice() + 1);
      case 'restart':
        return this.restart();
    }
  }

  /** Waits until all jobs have ended, except those planned for later. */
  async finish(): Promise<void> {
    const queue = this.#app.queue();
    await queue.resume();
    await until(
      () => `all jobs have ended: ${JSON.stringify(this.events.slice(-20))}`,
      async () => {
        const delayedJobs = (await queue.getDelayed()) as Job[];
        const planned = delayedJobs.filter(({ delay }) => delay > 1_000_000).length;
        const { waiting, prioritized, active, delayed } = await queue.getJobCounts();
        return waiting === 0 && prioritized === 0 && active === 0 && delayed === planned;
      },
    );
  }

  check(): void {
    const jobs = new Set(this.#added);
    for (const event of this.events) if ('job' in event) jobs.add(event.job);
    for (const job of jobs) {
      const own = this.events.filter((event) => 'job' in event && event.job === job).map(({ type }) => type);
      const of = (type: string) => own.filter((each) => each === type).length;
      expect({ job, items: own.filter((type) => type.length === 1).join('') }).toEqual({ job, items: LETTERS });
      expect({ job, start: of('start'), complete: of('complete') }).toEqual({ job, start: 1, complete: 1 });
    }
    for (const [at, { type }] of this.events.entries()) {
      if (type !== 'trigger') continue;
      const covered = this.events
        .slice(at)
        .some((event) => event.type === 'start' && 'job' in event && event.isTriggered);
      expect({ trigger: at, covered }).toEqual({ trigger: at, covered: true });
    }
  }
}
