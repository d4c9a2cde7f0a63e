import type { Job } from 'bullmq';
import type { Position } from '../checkpoint/index.js';
import type { Cursor, Json } from '../cursor.js';
import type { BuildContext, IterationContext } from '../definition/index.js';
import type { Interruption, InterruptionRequest } from '../interruption/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';

export interface RunContextParts {
  readonly job: Job;
  readonly position: Position;
  readonly interruption: InterruptionRequest;
  readonly run: number;
  readonly interruptions: number;
  readonly state: Json;
  readonly stopped: { readonly silent: boolean } | undefined;
  readonly transactional: boolean;
}

/** What user code may change of a run. */
interface RunState {
  state: Json;
  stopped: { readonly silent: boolean } | undefined;
}

/** What user code sees of a run. */
export class RunContext implements BuildContext, IterationContext {
  item: unknown;
  /** Whether {@link stop} was called of this very object. */
  hasStopped = false;

  readonly #parts: RunContextParts;
  readonly #run: RunState;
  #transaction: unknown;

  constructor(parts: RunContextParts, run: RunState = { state: structuredClone(parts.state), stopped: parts.stopped }) {
    this.#parts = parts;
    this.#run = run;
  }

  /** Another view of the same run, for one of several items in flight. */
  fork(): RunContext {
    return new RunContext(this.#parts, this.#run);
  }

  get state(): Json {
    return this.#run.state;
  }

  set state(state: Json) {
    this.#run.state = state;
  }

  /** Set by {@link stop}, in this run or in one before whose end failed. */
  get stopped(): RunState['stopped'] {
    return this.#run.stopped;
  }

  set stopped(stopped: RunState['stopped']) {
    this.#run.stopped = stopped;
  }

  get data(): unknown {
    return this.#parts.job.data;
  }

  get job(): Job {
    return this.#parts.job;
  }

  get cursor(): Cursor {
    return this.#parts.position.cursor;
  }

  get processed(): number {
    return this.#parts.position.processed;
  }

  get run(): number {
    return this.#parts.run;
  }

  get interruptions(): number {
    return this.#parts.interruptions;
  }

  get interruption(): Interruption | undefined {
    return this.#parts.interruption.pending;
  }

  get signal(): AbortSignal {
    return this.#parts.interruption.signal;
  }

  get transaction(): never {
    if (this.#transaction !== undefined) return this.#transaction as never;
    throw new InvalidOptionsError(
      this.#parts.transactional
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
    this.#run.stopped = { silent };
    this.hasStopped = true;
  };

  readonly retryIn = (ms: number): void => {
    if (typeof ms !== 'number' || !(ms >= 0) || ms === Infinity) {
      throw new InvalidOptionsError(`context.retryIn(${ms}): give it a number of milliseconds, 0 or more`);
    }
    this.#parts.interruption.request({ reason: 'retryIn', retryInMs: ms });
  };
}
