import type { Checkpoint, Progress, RunCheckpoint } from '../checkpoint/index.js';
import type { Page } from '../enumerators/contract/index.js';

/** How items are handled, and how it is made sure that what was done is not forgotten. */
export interface ItemWork {
  /** Handles the item at `index`, and perhaps some behind it. A promise only where the user's code gives one. */
  handle(page: Page<unknown>, index: number): unknown;
  /** The last item that {@link handle} has handled. */
  readonly last: number;
  /** Handles one item, or a part of a batch, by itself; `after` is where the job then stands. */
  handleOne(item: unknown, after: Progress): unknown;
  /** Saves where the job stands, before anything else is done. @returns false when the lock is lost. */
  record(changes: Pick<Checkpoint, 'letter'>): Promise<boolean>;
  /** Whether it is not known if what was handled last is done: it must not be handled again in this run. */
  readonly isUncertain: boolean;
}

/** The handler, and nothing else. */
export class PlainWork implements ItemWork {
  last = -1;
  readonly isUncertain = false;

  constructor(
    readonly handleOne: (item: unknown) => unknown,
    private readonly checkpoint: RunCheckpoint,
  ) {}

  handle(page: Page<unknown>, index: number): unknown {
    this.last = index;
    return this.handleOne(page.items[index]);
  }

  record(changes: Pick<Checkpoint, 'letter'>): Promise<boolean> {
    return this.checkpoint.saveSurely(changes);
  }
}
