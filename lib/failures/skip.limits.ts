import type { Granted } from '../checkpoint/index.js';
import { type Cursor, isSameJson } from '../cursor.js';
import type { ItemRange } from '../enumerators/contract/index.js';
import { SkipLimitError } from '../iteration.errors.js';
import type { SkipCount } from '../parts/index.js';
import type { Run } from '../runtime/index.js';

const LOOKED_AT_AFTER = 1_000;

/** What would be more than a limit, and what is skipped and seen without it. */
export interface ReachedLimit {
  readonly error: SkipLimitError;
  /** Absent: it concerns this part alone. */
  readonly all?: SkipCount;
}

/** How many items a job may skip (R24, R37): in all, of the items seen, and in a row. */
export class SkipLimits {
  /** Cursor of the last item that this run skipped. */
  #last: Cursor | undefined;

  constructor(
    private readonly run: Pick<Run, 'checkpoint' | 'control' | 'definition' | 'limits' | 'progress' | 'settings'>,
  ) {}

  /** Of a part, limits but `consecutive` are those of the whole job. Otherwise the item is counted as skipped in the whole. */
  async reachedBy(range: ItemRange, cause: Error): Promise<ReachedLimit | undefined> {
    const { limits, progress } = this.run;
    const { consecutive } = this.run.definition.options.itemFailure;
    const { skipped, itemsSeen } = progress.current;
    const inARow = this.#inARow(range);
    const own: SkipCount = { skipped: skipped + 1, seen: itemsSeen + 1 };
    if (inARow >= consecutive) {
      const reached = `${inARow} in a row, as many as itemFailure.consecutive allows`;
      const error = new SkipLimitError(consecutive, { cause, reached });
      return limits ? { error } : { error, all: { skipped, seen: itemsSeen } };
    }
    let error: SkipLimitError | undefined;
    const isReached = (all: SkipCount) => {
      error = this.#errorOf(all, cause);
      return error !== undefined;
    };
    if (limits) {
      const all = await limits.countSkips(own, isReached);
      return all && error && { error, all };
    }
    return isReached(own) && error ? { error, all: { skipped, seen: itemsSeen } } : undefined;
  }

  /** @param all With one skip more. */
  #errorOf(all: SkipCount, cause: Error): SkipLimitError | undefined {
    const { limit } = this.run.definition.options.itemFailure;
    const { skipped: before, itemsSeen: seenBefore } = this.#granted;
    const perItem = this.run.settings.inForce.batchSize ?? 1; // records of a batch are skipped one by one
    const skipped = all.skipped - 1 - before;
    if (typeof limit === 'number') return skipped >= limit ? new SkipLimitError(limit, { cause }) : undefined;
    const seen = (all.seen - 1 - seenBefore) * perItem;
    const { percent, after = LOOKED_AT_AFTER } = limit;
    if (seen + 1 < after || (skipped + 1) * 100 <= percent * (seen + 1)) return undefined;
    const reached = `${skipped} of ${seen} items, as many as itemFailure.limit allows (${percent} %)`;
    return new SkipLimitError(percent, { cause, reached });
  }

  /** Called before the progress moves after the item. */
  count(range: ItemRange): void {
    const { checkpoint, progress } = this.run;
    const inARow = this.#inARow(range) + 1;
    this.#last = range.cursor;
    checkpoint.change({ skippedInARow: [inARow, progress.itemsSeen + 1] });
  }

  /** Since the job was resumed after a pause for a limit: that grants the limits anew. Nothing, once the job has started anew. */
  get #granted(): Omit<Granted, 'life'> {
    const { checkpoint, control, limits } = this.run;
    const { life } = limits?.part ?? checkpoint.current;
    return control.granted?.life === life ? control.granted : { skipped: 0, itemsSeen: 0 };
  }

  /** How many items just before this one were skipped. */
  #inARow({ before }: ItemRange): number {
    const { checkpoint, limits, progress } = this.run;
    const [count, at] = checkpoint.current.skippedInARow ?? [0, 0];
    if (!limits && at <= this.#granted.itemsSeen) return 0;
    const follows = this.#last === undefined ? at === progress.itemsSeen : isSameJson(before, this.#last);
    return follows ? count : 0;
  }
}
