import type { Running } from '../../lib/checkpoint/checkpoint.js';
import type { Position } from '../../lib/checkpoint/progress.js';
import type { Clock } from '../../lib/clock.js';
import type { Page, RunReader } from '../../lib/enumerators/contract/index.js';
import type { InterruptionRequest } from '../../lib/interruption/interruption.js';
import { Lock } from '../../lib/interruption/lock.js';
import { type ResolvedRunOptions, resolveRunOptions } from '../../lib/iteration.options.js';
import { loopOverItems } from '../../lib/run/sequential.loop.js';
import { type LoopEnd, PageFeed } from '../../lib/runtime/page.reader.js';
import { RunWatch } from '../../lib/runtime/run.timer.js';

interface LoopOptions {
  readonly reader: RunReader<unknown>;
  readonly handle: (item: unknown) => unknown;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly clock?: Clock;
  readonly options?: ResolvedRunOptions;
  readonly stopped?: () => boolean;
  readonly careful?: boolean;
  readonly save?: (running: Running) => Promise<void>;
}

/** The loop of a run by itself: without a queue, a lock that ends, or failures that are overcome. */
export function itemLoop(parts: LoopOptions): { run(): Promise<LoopEnd> } {
  const { clock = { now: () => Date.now() }, handle, interruption, position, reader } = parts;
  const work = {
    last: -1,
    handle(page: Page<unknown>, index: number) {
      work.last = index;
      return handle(page.items[index]);
    },
  };
  const watch = new RunWatch({
    position,
    interruption,
    lock: new Lock('token', clock.now() + 3_600_000, 600_000, interruption),
    clock,
    options: parts.options ?? resolveRunOptions({}, {}),
    careful: parts.careful ?? false,
    save: parts.save ?? (async () => {}),
  });
  const warn = (message: string) => {
    throw new Error(message);
  };
  return {
    async run() {
      const feed = new PageFeed({ reader, interruption, watch, warn });
      try {
        return await loopOverItems({
          feed,
          work,
          failure: { overcome: (thrown) => Promise.reject(thrown) },
          position,
          interruption,
          watch,
          context: {
            get stopped() {
              return parts.stopped?.();
            },
          },
          warn,
        });
      } finally {
        await feed.close();
      }
    },
  };
}

/** Before the first item. */
export const AT_THE_BEGINNING = { cursor: null, processed: 0, skipped: 0, passed: 0 } as const;
