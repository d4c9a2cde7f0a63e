import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { endLocksOf } from '../support/dead-locks.js';
import {
  FAILING,
  ITEMS_OF_A_PART,
  isRetried,
  jobIdOf,
  PART_KILLS,
  PART_STEPS,
  PARTS,
  type PartKill,
  type PartKillsConfig,
  stepOf,
} from '../support/part-steps.js';

const ALL = Array.from({ length: PARTS * ITEMS_OF_A_PART }, (_, item) => item);

/** Hooks and methods that were called before the kill, and are called again after it. */
const TWICE: Readonly<Partial<Record<PartKill, string>>> = {
  'before the list is saved': 'split',
  'start hook': 'start',
  'before start is saved': 'start',
  'complete hook': 'complete',
  'end hook': 'complete',
  'in the middle of removing': 'complete',
  'before moveToCompleted': 'complete',
};

describeQueues('kills of a job in parts', BACKENDS, (queues) => {
  it('R27: killed at any step, a job in parts ends; its parts are added once, and run once to their end', async () => {
    const deaths = mkdtempSync(join(tmpdir(), 'iteration-test-deaths-'));
    const app = await queues.start({ iteration: { workers: false } });
    const config = { place: queues.place, postgresQueue: queues.backend === 'postgres', deaths };
    const died = (pid: number | undefined) => endLocksOf(pid, queues);
    const crew = new Crew<PartKillsConfig>(() => config, 'part-kills', { size: 2, died });
    try {
      const jobs = await Promise.all(PART_KILLS.map((step) => app.queue().add('parts', {}, { jobId: jobIdOf(step) })));
      for (const job of jobs) {
        if (isRetried(stepOf(job.id as string))) {
          await app.settled(job, ['failed']);
          await job.retry('failed');
        }
        const { failedReason, returnvalue } = await app.settled(job, ['completed']);
        expect([job.id, failedReason, returnvalue]).toEqual([job.id, undefined, { processed: ALL.length, skipped: 0 }]);
      }
      expect(readdirSync(deaths).sort()).toEqual([...PART_KILLS].sort());
      expect(crew.killed).toBe(PART_KILLS.length);
      for (const step of PART_KILLS) {
        const calls = ['split', 'start', 'complete', 'fail'].map((name) =>
          crew.count(new RegExp(`^${name} ${jobIdOf(step)}$`)),
        );
        const twice = (name: string) => (TWICE[step] === name ? 2 : 1);
        const fails = isRetried(step) ? 1 : 0;
        expect([step, calls]).toEqual([step, [twice('split'), twice('start'), twice('complete'), fails]]);
        const items = crew.lines.flatMap((line) => {
          const [, of, item] = /^item (.+) (\d+)$/.exec(line) ?? [];
          return of === step ? [Number(item)] : [];
        });
        expect([step, [...new Set(items)].sort((one, other) => one - other)]).toEqual([step, ALL]);
        const repeats = MAY_REPEAT[step] ?? 0;
        expect(items.length, step).toBeLessThanOrEqual(ALL.length + repeats);
        const builds = Array.from({ length: PARTS }, (_, part) =>
          crew.count(new RegExp(`^build ${jobIdOf(step)}-\\d+-0-part-${part}$`)),
        );
        const again = isRetried(step) ? FAILING : RUN_TWICE.includes(step) ? [0] : [];
        expect([step, builds]).toEqual([step, builds.map((_, part) => (again.includes(part) ? 2 : 1))]);
      }
      // Nothing is left over, and nothing is there twice.
      expect(await app.queue().getJobCounts()).toMatchObject({
        ...EMPTY,
        completed: PART_KILLS.length,
      });
    } finally {
      await crew.dismiss();
      rmSync(deaths, { recursive: true });
    }
  });
});

/** Items of the first part since its last checkpoint (R18). */
const MAY_REPEAT: Readonly<Partial<Record<PartKill, number>>> = {
  'part: in the middle of its items': ITEMS_OF_A_PART / 2 + 1,
  'part: before complete is saved': ITEMS_OF_A_PART,
};

const RUN_TWICE: readonly PartKill[] = PART_STEPS.filter((step) => step !== 'part: after moveToCompleted');

const EMPTY = { active: 0, delayed: 0, failed: 0, prioritized: 0, waiting: 0, 'waiting-children': 0 };
