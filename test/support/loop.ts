import type { Running } from '../../lib/checkpoint/checkpoint.js';
import { Progress, type ProgressTracker } from '../../lib/checkpoint/progress.js';
import { RunTimes } from '../../lib/checkpoint/time.split.js';
import type { Clock } from '../../lib/clock.js';
import type { Page, RunReader } from '../../lib/enumerators/contract/index.js';
import type { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import { type ResolvedRunOptions, resolveRunOptions } from '../../lib/iteration.options.js';
import { SequentialLoop, type SequentialOutcome } from '../../lib/run/sequential.loop.js';
import { ItemRate } from '../../lib/runtime/item.rate.js';
import type { OpenRun } from '../../lib/runtime/run.js';
import { RunTimer } from '../../lib/runtime/run.timer.js';
import { SourcePages } from '../../lib/runtime/source.pages.js';

interface LoopOptions {
  readonly reader: RunReader<unknown>;
  readonly handle: (item: unknown) => unknown;
  readonly progress: ProgressTracker;
  readonly interruption: InterruptionRequest;
  readonly clock?: Clock;
  readonly options?: ResolvedRunOptions;
  readonly stopped?: () => boolean;
  readonly careful?: boolean;
  readonly save?: (running: Running) => Promise<void>;
}

/** The loop of a run alone: without a queue, an expiring lock, or retries of failures. */
export function itemLoop(parts: LoopOptions): { run(): Promise<SequentialOutcome> } {
  const { clock = { now: () => Date.now() }, handle, interruption, progress, reader } = parts;
  const executor = {
    last: -1,
    handle(page: Page<unknown>, index: number) {
      executor.last = index;
      return handle(page.items[index]);
    },
  };
  const context = {
    get stopped() {
      return parts.stopped?.();
    },
  };
  const warn = (message: string) => {
    throw new Error(message);
  };
  const lock = new Lock('token', { acquiredAt: clock.now() + 3_600_000, durationMs: 600_000, interruption, clock });
  const definition = { options: parts.options ?? resolveRunOptions({}, {}) };
  const times = new RunTimes(clock, {});
  const run = {
    clock,
    context,
    definition,
    executor,
    interruption,
    lock,
    log: { warn },
    progress,
    rate: new ItemRate({ clock, interruption, settings: definition.options }, undefined),
    settings: definition.options,
    times,
    checkpoint: { current: {}, flush: parts.save ?? (async () => {}), flushBegun: async () => {} },
  } as unknown as OpenRun;
  const timer = new RunTimer(run, { isolate: parts.careful ?? false });
  return {
    async run() {
      const pages = new SourcePages(reader, {
        interruption,
        times,
        whileAwaiting: () => timer.lookWhileAwaiting(),
        warn,
      });
      const rethrow = (thrown: unknown) => Promise.reject(thrown);
      try {
        const failure = { overcome: rethrow, giveUp: rethrow };
        return await new SequentialLoop({ ...run, context, pages, timer }, failure).outcome();
      } finally {
        timer.end();
        await pages.close();
      }
    },
  };
}

/** Before the first item. */
export const AT_THE_BEGINNING = new Progress(null, 0, 0, 0);
