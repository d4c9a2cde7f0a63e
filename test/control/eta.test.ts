import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import type { BuildContext, EnumeratorBuilder, IterationStatus } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Lateness } from '../support/lateness.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const ITEMS = 300;
const PER_SECOND = 50;
/** R29: the ETA at half way is at most this share off. */
const SHARE = 0.2;

type Build = (context: BuildContext, enumerators: EnumeratorBuilder) => unknown;

const numbers = Array.from({ length: ITEMS }, (_, number) => ({ id: number }));

/** Every way in which a size or a fraction is known. */
const SOURCES: readonly { readonly name: string; readonly itemConcurrency?: number; readonly build: Build }[] = [
  { name: 'array', build: ({ cursor }, build) => build.array(numbers, { cursor: cursor as number | null }) },
  {
    name: 'concurrent',
    itemConcurrency: 4,
    build: ({ cursor }, build) => build.array(numbers, { cursor: cursor as number | null }),
  },
  {
    name: 'keyset',
    build: ({ cursor }, build) =>
      build.keyset({
        cursor: cursor as number | null,
        pageSize: 40,
        fetch: async (after: number | null, limit) => numbers.slice((after ?? -1) + 1, (after ?? -1) + 1 + limit),
        key: ({ id }) => id,
        size: async () => ITEMS,
      }),
  },
  {
    name: 'csv',
    build: ({ cursor }, build) => {
      const rows = numbers.map(({ id }) => `${1_000 + id}\n`).join('');
      return build.csv.rows(Buffer.from(`id\n${rows}`), { cursor: cursor as never, columns: true });
    },
  },
];

describeQueues('etaMs and percent', BACKENDS, (queues) => {
  it('R29: at half way of a steady job, etaMs is within 20 %: array, in parallel, keyset, CSV', async () => {
    const whole = new Lateness();
    const half = new Map<string, { readonly status: IterationStatus; readonly at: number; readonly rest: Lateness }>();
    const ended = new Map<string, number>();
    const processors = SOURCES.map(({ build, name, itemConcurrency = 1 }) =>
      storyProcessor(
        {
          build: build as never,
          each: async (_, { job, processed }) => {
            if (processed < ITEMS / 2 || half.has(name)) return;
            const status = await app.iterations.status(job as Job);
            if (!half.has(name)) half.set(name, { status, at: performance.now(), rest: new Lateness() });
          },
          hook: (event) => void (event === 'complete' && ended.set(name, performance.now())),
        },
        {
          name,
          itemConcurrency,
          itemsPerSecond: PER_SECOND,
          checkpoint: { everyItems: 10 },
          worker: { concurrency: SOURCES.length },
        },
      ),
    );
    const app = await queues.start({ processors: processors.map(({ type }) => type) });
    for (const { type } of processors) await app.iterations.enqueue(type, {});
    await until('all jobs are complete', () => ended.size === SOURCES.length);
    for (const { name } of SOURCES) {
      const { at, rest, status } = half.get(name) as NonNullable<ReturnType<typeof half.get>>;
      const tookMs = (ended.get(name) as number) - at;
      const etaMs = status.etaMs as number;
      expect(status.percent, name).toBeGreaterThanOrEqual(45);
      rest.expectWithin(etaMs / (1 - SHARE), `R29 (${name}: too early)`, tookMs);
      whole.expectWithin(tookMs, `R29 (${name}: too late)`, etaMs / (1 + SHARE));
    }
  });

  it('R29: percent never falls over interruptions, errors and pauses; only a restart begins anew', async () => {
    const lives: number[][] = [[]];
    const { type, script } = storyProcessor({}, { checkpoint: { everyItems: 1 } });
    const worker = () => queues.start({ processors: [type] });
    let app = await worker();
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.iterations.enqueue(type, { letters: 'abcdefghijklmnopqrst' }, { attempts: 2 });
    let looks = Promise.resolve();
    const look = () => {
      looks = looks.then(async () => {
        const { percent } = await web.iterations.status(job); // one at a time: of two answers the earlier may come last
        if (percent !== undefined) lives.at(-1)?.push(percent);
      });
      return looks;
    };
    const seen = new Set<string>();
    script.each = async (letter, context) => {
      await look();
      const isFirst = !seen.has(letter);
      seen.add(letter);
      if (isFirst && 'cg'.includes(letter)) throw new Error('once');
      if (isFirst && 'ek'.includes(letter)) context.retryIn(0);
      if (isFirst && letter === 'm') await web.iterations.pause(job);
      if (isFirst && 'mp'.includes(letter)) while (!context.interruption) await new Promise(setImmediate);
    };
    await until('it is paused by the operator', async () => {
      await look();
      return seen.has('m') && (await job.isDelayed());
    });
    await web.iterations.resume(job);
    await until('it runs on', () => seen.has('p'));
    await app.close();
    await look();
    app = await worker();
    await app.settled(job, ['completed']);
    await look();
    lives.push([]);
    await web.iterations.restart(job);
    await app.settled(job, ['completed']);
    await look();
    for (const percents of lives) {
      expect(percents).toEqual([...percents].sort((one, next) => one - next));
      expect(percents[0]).toBeLessThan(10);
      expect(percents.at(-1)).toBe(100);
    }
  });
});
