import type { Granted } from '../checkpoint/index.js';
import { type Cursor, isSameJson } from '../cursor.js';
import type { ItemRange } from '../enumerators/contract/index.js';
import { SkipLimitError } from '../iteration.errors.js';
import type { Run } from '../runtime/index.js';

const LOOKED_AT_AFTER = 1_000;

/** How many items a job may skip (R24, R37): in all, of the items seen, and in a row. */
export class SkipLimits {
  /** Cursor of the last item that this run skipped. */
  #last: Cursor | undefined;

  constructor(private readonly run: Pick<Run, 'checkpoint' | 'control' | 'definition' | 'progress' | 'settings'>) {}

  /** The error if one more item may not be skipped. */
  reachedBy(range: ItemRange, cause: Error): SkipLimitError | undefined {
    const { limit, consecutive } = this.run.definition.options.itemFailure;
    const { skipped, seen } = this.#sinceGranted();
    const inARow = this.#inARow(range);
    if (inARow >= consecutive) {
      const reached = `${inARow} in a row, as many as itemFailure.consecutive allows`;
      return new SkipLimitError(consecutive, { cause, reached });
    }
    if (typeof limit === 'number') return skipped >= limit ? new SkipLimitError(limit, { cause }) : undefined;
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

  /** Since the job was resumed after a pause for a limit: that grants the limits anew. */
  #sinceGranted(): { readonly skipped: number; readonly seen: number } {
    const { progress, settings } = this.run;
    const { skipped, itemsSeen } = progress.current;
    const { skipped: before, itemsSeen: seenBefore } = this.#granted;
    const perItem = settings.inForce.batchSize ?? 1; // records of a batch are skipped one by one
    return { skipped: skipped - before, seen: (itemsSeen - seenBefore) * perItem };
  }

  /** Nothing, once the job has started anew. */
  get #granted(): Omit<Granted, 'life'> {
    const { checkpoint, control } = this.run;
    return control.granted?.life === checkpoint.current.life ? control.granted : { skipped: 0, itemsSeen: 0 };
  }

  /** How many items just before this one were skipped. */
  #inARow({ before }: ItemRange): number {
    const { checkpoint, progress } = this.run;
    const [count, at] = checkpoint.current.skippedInARow ?? [0, 0];
    if (at <= this.#granted.itemsSeen) return 0;
    const follows = this.#last === undefined ? at === progress.itemsSeen : isSameJson(before, this.#last);
    return follows ? count : 0;
  }
}
