import type { InterruptionRequest } from '../interruption/index.js';

interface RunStopsOptions {
  readonly interruptAfter: number | readonly number[] | undefined;
  readonly cancelAfter: number | undefined;
}

/** Interrupts runs, as a deploy does, and cancels the job. */
export class RunStops {
  #runs = 0;
  #left = Infinity;
  #untilCancel: number;
  #interruption: InterruptionRequest | undefined;

  constructor(private readonly options: RunStopsOptions) {
    this.#untilCancel = options.cancelAfter ?? Infinity;
  }

  beginRun(interruption: InterruptionRequest): void {
    const { interruptAfter = Infinity } = this.options;
    this.#interruption = interruption;
    this.#left = typeof interruptAfter === 'number' ? interruptAfter : (interruptAfter[this.#runs++] ?? Infinity);
    if (this.#left === 0) interruption.request({ reason: 'shutdown' });
  }

  /** The transaction of the last `count` items is rolled back. */
  reopenItems(count: number): void {
    this.#left += count;
    this.#untilCancel += count;
  }

  /** An item was handled or skipped. */
  finishItem(): void {
    if (--this.#left === 0) this.#interruption?.requestShutdown();
    if (--this.#untilCancel === 0) this.#interruption?.cancel('cancelAfter');
  }
}
