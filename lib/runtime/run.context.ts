import type { Job } from 'bullmq';
import type { Checkpoint, ProgressTracker } from '../checkpoint/index.js';
import type { Cursor, Json } from '../cursor.js';
import type { BuildContext, IterationContext } from '../definition/index.js';
import type { Interruption } from '../interruption/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import { partOf } from '../parts/index.js';
import { delay } from '../rules.js';
import type { RunInputs } from './run.inputs.js';

/** What user code may change in a run; shared by the contexts of items in flight. */
interface SharedState {
  state: Json;
  stopped: { readonly silent: boolean } | undefined;
}

interface VisibleRun extends Pick<RunInputs, 'definition' | 'interruption' | 'job'> {
  readonly progress: ProgressTracker;
}

/** What user code sees of a run. */
export class RunContext implements BuildContext, IterationContext {
  item: unknown;
  /** In a redrive, that of the item's dead letter. */
  part: Json | undefined;
  /** Whether {@link stop} was called on this very object. */
  hasStopped = false;

  readonly #run: VisibleRun;
  readonly #begun: Checkpoint;
  readonly #shared: SharedState;
  #transaction: unknown;

  /** @param begun The checkpoint that the run began with. */
  constructor(
    run: VisibleRun,
    begun: Checkpoint,
    shared: SharedState = { state: structuredClone(begun.state ?? null), stopped: begun.stopped },
  ) {
    this.#run = run;
    this.#begun = begun;
    this.#shared = shared;
    this.part = partOf(run.job)?.value;
  }

  /** Another view of the same run, for one of several items in flight. */
  fork(): RunContext {
    return new RunContext(this.#run, this.#begun, this.#shared);
  }

  get state(): Json {
    return this.#shared.state;
  }

  set state(state: Json) {
    this.#shared.state = state;
  }

  /** Set by {@link stop}, in this run or in an earlier one whose end failed. */
  get stopped(): SharedState['stopped'] {
    return this.#shared.stopped;
  }

  set stopped(stopped: SharedState['stopped']) {
    this.#shared.stopped = stopped;
  }

  get data(): unknown {
    return this.#run.job.data;
  }

  get job(): Job {
    return this.#run.job;
  }

  get cursor(): Cursor {
    return this.#run.progress.cursor;
  }

  get processed(): number {
    return this.#run.progress.current.processed;
  }

  get run(): number {
    return this.#begun.run;
  }

  get interruptions(): number {
    return this.#begun.interruptions;
  }

  get interruption(): Interruption | undefined {
    return this.#run.interruption.pending;
  }

  get signal(): AbortSignal {
    return this.#run.interruption.signal;
  }

  get transaction(): never {
    if (this.#transaction !== undefined) return this.#transaction as never;
    throw new InvalidOptionsError(
      this.#run.definition.transactions
        ? 'context.transaction is there while an item is handled, not in other hooks or after the handler has returned'
        : 'context.transaction: this processor has no transaction host. Set "transactions" in @IterativeProcessor',
    );
  }

  /** Until {@link endTransaction}, user code sees this transaction. */
  beginTransaction(transaction: unknown): void {
    this.#transaction = transaction;
  }

  endTransaction(): void {
    this.#transaction = undefined;
  }

  // Both may be taken out of the context: `({ stop }) => stop()`.
  readonly stop = ({ silent = false }: { silent?: boolean } = {}): void => {
    this.#shared.stopped = { silent };
    this.hasStopped = true;
  };

  readonly retryIn = (ms: number): void => {
    const verdict = delay(ms, 'context.retryIn');
    if (verdict !== true) throw new InvalidOptionsError(`context.retryIn(${String(ms)}): give it ${verdict}`);
    this.#run.interruption.request({ reason: 'retryIn', retryInMs: ms });
  };
}
