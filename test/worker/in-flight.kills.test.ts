import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckpointOptions } from '../../lib/index.js';
import type { WorkerConfig } from '../processes/worker.config.js';
import { type Backend, BOTH, Queues, type TestApp } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

const ITEM_MS = 100;
const IN_FLIGHT = 50;
/** `KILLS=20` of each; some are enough for each day. */
const KILLS: Record<Backend, number> = {
  redis: Number(process.env.KILLS ?? 8),
  postgres: Number(process.env.KILLS ?? 3),
};
const ITEMS: Record<Backend, number> = { redis: KILLS.redis * 600, postgres: KILLS.postgres * 600 };
/** Of it a run spends the first second one item at a time (R19). */
const LIFE_MS = 2_000;
const DEADLINE_MS = 240_000;

const EVERY_MS = 500;
const EVERY_ITEMS = 100;
/** A handler's timer may fire early by a part of a millisecond, and a checkpoint may be late by a turn of the event loop. */
const LATE_MS = 50;
/** By time on Redis, by count on PostgreSQL; and what is then handled at most between two checkpoints. */
const CHECKPOINTS: Record<Backend, { checkpoint: CheckpointOptions; interval: number }> = {
  redis: {
    checkpoint: { everyMs: EVERY_MS },
    interval: IN_FLIGHT * (Math.floor((EVERY_MS + LATE_MS) / (ITEM_MS - 1)) + 1),
  },
  postgres: { checkpoint: { everyItems: EVERY_ITEMS }, interval: EVERY_ITEMS },
};
const reachable = BOTH.filter((backend) => backend !== 'redis' || process.env.REDIS_URL);

describe('kills with items in flight', () => {
  const places = new Map<Backend, { queues: Queues; app: TestApp }>();
  const crews: Crew<WorkerConfig>[] = [];

  beforeAll(async () => {
    for (const backend of reachable) {
      const queues = new Queues(backend);
      await queues.open();
      queues.move();
      places.set(backend, { queues, app: await queues.start({ iteration: { workers: false } }) });
    }
  });
  afterAll(async () => {
    await Promise.all(crews.map((crew) => crew.dismiss()));
    for (const { queues } of places.values()) {
      await queues.closeApps();
      await queues.close();
    }
  });

  it.each(reachable)(
    `R26: killed again and again at random with ${IN_FLIGHT} items in flight, nothing is lost, and at most a checkpoint interval and ${IN_FLIGHT} items are repeated (%s)`,
    async (backend) => {
      const { queues, app } = places.get(backend) as { queues: Queues; app: TestApp };
      const { checkpoint, interval } = CHECKPOINTS[backend];
      const worker = { lockDuration: 1_000, stalledInterval: 250 };
      const iteration = { checkpoint, worker, itemConcurrency: IN_FLIGHT };
      const config = {
        place: queues.place,
        postgresQueue: backend === 'postgres',
        items: ITEMS[backend],
        itemMs: ITEM_MS,
        iteration,
      };
      const crew = new Crew<WorkerConfig>(config, 'worker', 2);
      crews.push(crew);
      const job = await app.queue().add('numbers', {}, { jobId: 'killed' });
      const random = randomOf(26);
      for (let kill = 0; kill < KILLS[backend]; kill++) {
        const working = await until(`the job is taken over after ${kill} kills`, () =>
          crew.alive.find(({ lines }) => lines.some((line) => /^(start|resume) /.test(line))),
        );
        await new Promise((resolve) => setTimeout(resolve, random() * LIFE_MS));
        await working.kill();
      }
      await until('the job is complete', async () => (await job.getState()) === 'completed', DEADLINE_MS);

      const runs = crew.processes.map((process) => process.items('killed')).filter(({ length }) => length > 0);
      runs.sort((one, other) => Math.min(...one) - Math.min(...other));
      const repeats = runs.slice(1).map((run, index) => repeatedBy(run, runs.slice(0, index + 1)));
      console.log(
        `${KILLS[backend]} kills (${backend}), ${IN_FLIGHT} items in flight: the largest repeat is ${Math.max(...repeats)} items of ${ITEMS[backend]}, ` +
          `of ${interval + IN_FLIGHT} allowed`,
      );
      expect(new Set(runs.flat()).size).toBe(ITEMS[backend]);
      expect(Math.max(...repeats)).toBeLessThanOrEqual(interval + IN_FLIGHT);
      expect(await app.iterations.status(job)).toMatchObject({ processed: ITEMS[backend], failures: 0, skipped: 0 });
    },
    DEADLINE_MS,
  );
});

/** How many of the items that were handled before a run handles again. */
function repeatedBy(run: readonly number[], before: readonly (readonly number[])[]): number {
  const start = Math.min(...run);
  return new Set(before.flat().filter((item) => item >= start)).size;
}
