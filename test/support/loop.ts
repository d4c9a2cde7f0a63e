import type { Clock } from '../../lib/clock.js';
import type { Page, RunReader } from '../../lib/enumerators/contract/index.js';
import { type ResolvedRunOptions, resolveRunOptions } from '../../lib/iteration.options.js';
import type { InterruptionRequest } from '../../lib/run/interruption.js';
import { ItemLoop } from '../../lib/run/item.loop.js';
import { Lock } from '../../lib/run/lock.js';
import type { Position } from '../../lib/run/position.js';
import { RunWatch } from '../../lib/run/run.watch.js';

interface LoopOptions {
  readonly reader: RunReader<unknown>;
  readonly handle: (item: unknown) => unknown;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly clock?: Clock;
  readonly options?: ResolvedRunOptions;
  readonly stopped?: () => boolean;
  readonly save?: () => Promise<void>;
}

/** The loop of a run by itself: without a queue, a lock that ends, or failures that are overcome. */
export function itemLoop(parts: LoopOptions): ItemLoop {
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
    careful: false,
    save: parts.save ?? (async () => {}),
  });
  return new ItemLoop({
    reader,
    work,
    overcome: (thrown) => Promise.reject(thrown),
    position,
    interruption,
    watch,
    stopped: parts.stopped ?? (() => false),
    warn: (message) => {
      throw new Error(message);
    },
  });
}

/** Before the first item. */
export const AT_THE_BEGINNING = { cursor: null, processed: 0, skipped: 0, passed: 0 } as const;
