import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckpointOptions } from '../../lib/index.js';
import type { WorkerConfig } from '../processes/worker.config.js';
import { type Backend, backendsOf, Queues, type TestApp } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { randomOf } from '../support/random.js';
import { until } from '../support/until.js';

const ITEM_MS = 100;
const IN_FLIGHT = 50;
/** Kills on each backend. `KILLS=20` sets another number; the default is enough for every day. */
const KILLS: Record<Backend, number> = {
  redis: Number(process.env.KILLS ?? 8),
  postgres: Number(process.env.KILLS ?? 3),
};
const ITEMS: Record<Backend, number> = { redis: KILLS.redis * 600, postgres: KILLS.postgres * 600 };
/** The longest life of a run. It spends the first second one item at a time (R19). */
const LIFE_MS = 2_000;

/** By time on Redis, by count on PostgreSQL. */
const CHECKPOINTS: Record<Backend, CheckpointOptions> = { redis: { everyMs: 500 }, postgres: { everyItems: 100 } };
const reachable = backendsOf('kills with items in flight');

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
    `R26: random kills with ${IN_FLIGHT} items in flight lose no item and repeat a bounded number (%s)`,
    async (backend) => {
      const { queues, app } = places.get(backend) as { queues: Queues; app: TestApp };
      const checkpoint = CHECKPOINTS[backend];
      const config = {
        place: queues.place,
        postgresQueue: backend === 'postgres',
        items: ITEMS[backend],
        itemMs: ITEM_MS,
        saysSaves: true,
        // Kills while an item is suspected must not condemn it.
        iteration: { checkpoint, worker: LASTING_LOCKS, itemConcurrency: IN_FLIGHT, crashes: { limit: 1_000 } },
      };
      const died = (pid: number | undefined) => endLocksOf(pid, queues);
      const crew = new Crew<WorkerConfig>(() => config, 'worker', { size: 2, died });
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
      await until('the job is complete', async () => (await job.getState()) === 'completed');

      const runs = crew.processes.map(({ lines }) => eventsOf(lines)).filter(({ length }) => length > 0);
      runs.sort(([one], [other]) => (one as RunEvent).at - (other as RunEvent).at);
      const handled = runs.map((run) => run.flatMap(({ type, item }) => (type === 'item' ? [item] : [])));
      expect(new Set(handled.flat()).size).toBe(ITEMS[backend]);
      expect(await app.iterations.status(job)).toMatchObject({ processed: ITEMS[backend], failures: 0, skipped: 0 });
      for (const index of runs.slice(1).keys()) {
        const items = handled[index + 1] as number[];
        if (items.length === 0) continue; // killed before its first item
        // It begins after the last checkpoint, or after one whose answer its killed worker did not get...
        const killed = runs.slice(0, index + 1).flat();
        const last = killed.findLast(({ type }) => type === 'saved');
        const unanswered = killed.slice(killed.lastIndexOf(last as RunEvent)).filter(({ type }) => type === 'saving');
        const starts = [last as RunEvent, ...unanswered].map(({ item }) => item + 1);
        expect(starts).toContain(Math.min(...items));
      }
      // ... and each was sent when it was due: a few items later at most, however slow the machine is.
      const overdue = runs.map((run) => itemsAfterDue(run, checkpoint));
      const repeats = handled.slice(1).map((run, index) => repeatedBy(run, handled.slice(0, index + 1)));
      console.log(
        `${KILLS[backend]} kills (${backend}), ${IN_FLIGHT} items in flight: the largest repeat is ${Math.max(...repeats)} of ` +
          `${ITEMS[backend]}, and a checkpoint came ${Math.max(...overdue)} items after it was due`,
      );
      expect(Math.max(...overdue)).toBeLessThanOrEqual(IN_FLIGHT);
    },
  );
});

interface RunEvent {
  readonly type: 'item' | 'saving' | 'saved';
  /** The item, or the cursor of the checkpoint. */
  readonly item: number;
  readonly at: number;
}

function eventsOf(lines: readonly string[]): RunEvent[] {
  return lines.flatMap((line) => {
    const [, type, item, at] = /^(item|saving|saved) killed (-?\d+) (\d+)$/.exec(line) ?? [];
    return type ? [{ type: type as RunEvent['type'], item: Number(item), at: Number(at) }] : [];
  });
}

/** The most items that finished while a checkpoint was due, not yet sent, and the previous one was answered. */
function itemsAfterDue(
  run: readonly RunEvent[],
  { everyMs = 1_000, everyItems = Infinity }: CheckpointOptions,
): number {
  let most = 0;
  let [sinceSent, sinceDue, savedAt] = [0, 0, Infinity];
  for (const { type, at } of run) {
    if (type === 'saving') [sinceSent, savedAt] = [0, Infinity];
    if (type === 'saved') [savedAt, sinceDue] = [at, 0];
    if (type !== 'item') continue;
    sinceSent++;
    if (savedAt !== Infinity && (at > savedAt + everyMs || sinceSent > everyItems)) most = Math.max(most, ++sinceDue);
  }
  return most;
}

/** How many of the items that were handled before are handled again by a run. */
function repeatedBy(run: readonly number[], before: readonly (readonly number[])[]): number {
  const start = Math.min(...run);
  return new Set(before.flat().filter((item) => item >= start)).size;
}
