import { hostname } from 'node:os';
import type { Job } from 'bullmq';
import { afterEach, expect, it } from 'vitest';
import { readCheckpoint } from '../../lib/checkpoint/checkpoint.js';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import {
  CLAIMED,
  CLAIMER,
  FROZEN_JOBS,
  type FreezesConfig,
  ITEMS,
  OTHER_WORKER,
  SYNCHRONOUS,
} from '../support/freeze-steps.js';
import { WorkerProcess } from '../support/processes.js';
import { until } from '../support/until.js';

const IDS = [...FROZEN_JOBS.keys()];

describeQueues('a frozen worker', BACKENDS, (queues) => {
  let frozen: WorkerProcess<FreezesConfig> | undefined;
  let release = new Gate();
  afterEach(async () => {
    release.open();
    await frozen?.kill();
  });

  /** The events of a job that the frozen worker printed, before or since it thawed. */
  const events = (id: string, { thawed }: { thawed: boolean }): string[] => {
    const lines = frozen?.lines ?? [];
    const at = lines.indexOf('> thawed | ');
    return (thawed ? lines.slice(at) : lines.slice(0, at)).flatMap((line) => {
      const [, event, of] = /^> (.+) \| (.+)$/.exec(line) ?? [];
      return event && of === id ? [event] : [];
    });
  };

  it('R20: a run that thaws after a takeover does nothing more, whatever step it was frozen at', async () => {
    release = new Gate();
    const { processor, handled, held } = takingOver(release);
    const adder = await queues.start({ iteration: { workers: false } });
    await adder.queue().add(SYNCHRONOUS, {}, { jobId: SYNCHRONOUS });
    const add = (jobId: string) => {
      const attempts = FROZEN_JOBS.get(jobId)?.end === 'retry' ? { attempts: 3 } : {};
      return adder.queue().add('frozen', {}, { jobId, ...attempts });
    };
    for (const id of [...IDS, CLAIMER]) await add(id);
    frozen = new WorkerProcess<FreezesConfig>(
      {
        place: queues.place,
        postgresQueue: queues.backend === 'postgres',
        renewal: queues.backend === 'postgres' ? 'before' : 'after',
      },
      'freezes',
    );

    await frozen.said(/^> frozen/);
    const other = await queues.start({ processors: [processor], iteration: { worker: OTHER_WORKER } });
    const own = `${hostname()}:${process.pid}`;
    const isSettled = async (id: string) => {
      const [job, state] = await jobOf(other, id);
      if (isOver(state)) return true;
      return held.has(id) && readCheckpoint(job.progress)?.worker === own; // its first checkpoint is saved
    };
    await until(
      () => `the other worker has taken every job over; it holds ${[...held].join(', ')}`,
      async () => (await Promise.all([...IDS, SYNCHRONOUS].map(isSettled))).every(Boolean),
    );
    const before = await snapshots(other);
    frozen.signal('SIGCONT');
    const notOver = () => [...IDS, SYNCHRONOUS, CLAIMED].filter((id) => !events(id, { thawed: true }).includes('over'));
    await until(
      () => `every run of the frozen worker is over; these are not: ${notOver().join('; ')}`,
      () => notOver().length === 0,
    );

    for (const id of IDS) {
      const waited = id.startsWith('item that waits');
      expect([id, ...events(id, { thawed: true })]).toEqual([id, ...(waited ? ['aborted'] : []), 'over']);
    }
    const synchronous = events(SYNCHRONOUS, { thawed: true });
    expect(synchronous.filter((event) => event === 'item').length).toBeLessThanOrEqual(64);
    expect(synchronous).not.toContain('end');
    expect(await snapshots(other)).toEqual(before);

    release.open();
    for (const id of IDS) {
      const [job, state] = [await other.settled((await jobOf(other, id))[0]), await other.queue().getJobState(id)];
      const { step } = FROZEN_JOBS.get(id) as { step: string };
      const by = step === 'after moveToCompleted' ? 'by the frozen one' : 'by the other';
      if (step === 'after moveToFailed')
        expect([id, state, job.failedReason]).toEqual([id, 'failed', 'not on this worker']);
      else expect([id, state, job.returnvalue]).toEqual([id, 'completed', by]);

      const first = events(id, { thawed: false }).flatMap((event) =>
        event.startsWith('item ') ? Number(event.slice(5)) : [],
      );
      const second = handled.get(id) ?? [];
      if (second.length > 0) expect([id, (second[0] as number) <= first.length]).toEqual([id, true]);
      const items = [...new Set([...first, ...second])].sort();
      if (step !== 'after moveToFailed')
        expect([id, items]).toEqual([id, Array.from({ length: ITEMS }, (_, item) => item)]);
    }
  });
});

/** The processor of the worker that takes over. It holds a job at an item when its `meanwhile` is `at an item`. */
function takingOver(release: Gate) {
  const handled = new Map<string, number[]>();
  const held = new Set<string>();

  @IterativeProcessor('jobs')
  class Other {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildEnumerator()
    build({ cursor, job }: BuildContext) {
      const end = job.name === SYNCHRONOUS ? ((cursor as number | null) ?? -1) + 2 : ITEMS;
      return this.enumerators.times(end, { cursor });
    }

    @EachIteration()
    async each(item: number, { job }: IterationContext) {
      const id = job.id as string;
      handled.set(id, [...(handled.get(id) ?? []), item]);
      if (FROZEN_JOBS.get(id)?.meanwhile !== 'at an item') return;
      held.add(id);
      await release.wait();
    }

    @OnIteration('complete') complete() {
      return 'by the other';
    }
  }
  return { processor: Other, handled, held };
}

async function jobOf(app: TestApp, id: string): Promise<[Job, string]> {
  const state = await app.queue().getJobState(id);
  return [(await app.queue().getJob(id)) as Job, state];
}

function isOver(state: string): boolean {
  return state === 'completed' || state === 'failed';
}

/** All that BullMQ stores of the jobs, except the note that a run survived its lost lock (R19). */
async function snapshots(app: TestApp): Promise<unknown> {
  return Promise.all(
    [...IDS, SYNCHRONOUS].map(async (id) => {
      const [job, state] = await jobOf(app, id);
      const { progress, ...rest } = job.asJSON();
      const { survivors: _, ...checkpoint } = progress as { survivors?: number[] };
      return { ...rest, checkpoint, state };
    }),
  );
}
