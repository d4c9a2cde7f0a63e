import type { Checkpoint, CheckpointWriter, Progress } from '../checkpoint/index.js';
import type { Page } from '../enumerators/contract/index.js';

/** How items are handled, and how it is made sure that what was done is not forgotten. */
export interface ItemExecutor {
  /** Called before the source is built. @throws LockLostError when another run has the job */
  acquire(): Promise<void>;
  /** Handles the item at `index`, and perhaps some after it. A promise only where the user's code returns one. */
  handle(page: Page<unknown>, index: number): unknown;
  /** Index of the last item that {@link handle} has handled. */
  readonly last: number;
  /** Handles one item, or a part of a batch, by itself; `after` is the job's progress once it is handled. */
  handleOne(item: unknown, after: Progress): unknown;
  /** Saves the job's progress before anything else is done. @throws LockLostError */
  persist(changes: Pick<Checkpoint, 'letter'>): Promise<void>;
  /** Whether the commit of the last item's work is uncertain. This run must then not handle the item again. */
  readonly isUncertain: boolean;
  /** Called when the job has ended. */
  release(): Promise<void>;
}

/** Calls the handler, and nothing else. */
export class DirectExecutor implements ItemExecutor {
  last = -1;
  readonly isUncertain = false;

  constructor(
    readonly handleOne: (item: unknown) => unknown,
    private readonly checkpoint: CheckpointWriter,
  ) {}

  async acquire(): Promise<void> {}

  handle(page: Page<unknown>, index: number): unknown {
    this.last = index;
    return this.handleOne(page.items[index]);
  }

  persist(changes: Pick<Checkpoint, 'letter'>): Promise<void> {
    return this.checkpoint.flushSurely(changes);
  }

  async release(): Promise<void> {}
}
