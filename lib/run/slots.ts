import type { OpenRun, RunContext } from '../runtime/index.js';
import { handlerOf } from './create.run.js';

/** A handler with a context of its own. */
export interface Slot {
  readonly context: RunContext;
  readonly handle: (item: unknown) => unknown;
}

/** The handlers of items in flight, each used again when its item has ended. */
export class Slots {
  readonly #free: Slot[] = [];

  constructor(private readonly run: Pick<OpenRun, 'context' | 'definition'>) {}

  take(): Slot {
    return this.#free.pop() ?? this.#newSlot();
  }

  giveBack(slot: Slot): void {
    this.#free.push(slot);
  }

  #newSlot(): Slot {
    const context = this.run.context.fork();
    return { context, handle: handlerOf(this.run.definition, context) };
  }
}
