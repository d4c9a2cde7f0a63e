import { randomUUID } from 'node:crypto';
import { startAfter } from '../checkpoint/index.js';
import { type Cursor, checkJson } from '../cursor.js';
import type { DeadLetter } from '../dead-letters/index.js';
import type { DataOf, ItemOf } from '../decorators/index.js';
import type { TransactionHost } from '../definition/index.js';
import type { Interruption } from '../interruption/index.js';
import { IterationCancelledError } from '../iteration.errors.js';
import type { RunOptions } from '../iteration.options.js';
import { checkIterationOptions } from '../options.check.js';
import { aFunction, check, count, countOrNone, type Rule } from '../rules.js';
import { MemoryRuns } from './memory.runs.js';
import { type FailAt, observedDefinition } from './observed.definition.js';
import { type IteratedRun, Recording } from './recording.js';
import { RunStops } from './run.stops.js';
import { YieldedItems } from './yielded.items.js';

/** Options of {@link iterate}. */
export interface IterateOptions<P extends object> {
  /** The job's data. Handlers are given what JSON makes of it, as by a queue. Default `{}`. */
  data?: DataOf<P>;
  /** The job starts after this cursor, as `enqueue` has it. */
  cursor?: Cursor;
  /** Interrupts each run after this number of items, as a deploy does. A list: one number for each run in turn. Default: none. */
  interruptAfter?: number | readonly number[];
  /**
   * Errors to throw instead of handling an item, by the item's number: 0 for the first that the job handles. An item of a Map
   * fails at each try. The function is also given the number of the try in this run, from 1; it returns undefined to let the item
   * be handled.
   */
  failAt?: ReadonlyMap<number, unknown> | ((index: number, tries: number) => unknown);
  /** Failures in a row without progress before the job fails ([R23](docs/guarantees.md#r23)). Default 1. */
  attempts?: number;
  /** Cancels the job after this number of items. */
  cancelAfter?: number;
  /** The clock of the run, in milliseconds since 1970. It may stand still. Default `Date.now`. */
  now?: () => number;
  /** The host of a processor with `transactions`. Its database is a real one. */
  transactions?: TransactionHost<unknown>;
  /** Run options that `IterationModule.forRoot` is given in the application. The processor's own come first. */
  defaults?: RunOptions;
}

/** What {@link iterate} returns. */
export interface IterateResult<P extends object> {
  /** Items that the handler has handled, in the order in which it finished them. Of a batch that was split, its parts. */
  items: ItemOf<P>[];
  /** Their cursors. */
  cursors: Cursor[];
  /** Cursors that were saved, each time that the saved cursor moved. */
  checkpoints: Cursor[];
  /** Every run. A job with parts has runs of its own: before its parts, and after them. */
  runs: IteratedRun[];
  /** The hooks that were called, by the names of their events. */
  hooks: string[];
  /** Why runs ended before the job did. */
  interruptions: Interruption[];
  /** Items that were skipped. */
  deadLetters: DeadLetter[];
  /** What the log would have warned of, and errors of hooks. */
  warnings: string[];
  /** `interrupted`: the job has paused itself. */
  state: 'completed' | 'interrupted' | 'failed' | 'cancelled';
  /** The job's return value, when it has completed. */
  result?: unknown;
  /** Why it has failed, or was cancelled. */
  error?: unknown;
}

/**
 * Runs one job of a processor without a queue, in as many runs as it takes, and says what happened. A job that fails does not
 * throw: see `state` and `error`.
 *
 * The runs are those of the library. Only the queue is in memory: nothing is waited for between runs and tries (`retryIn`, a
 * backoff), `itemsPerSecond` does not apply, and parts run one after another.
 *
 * @param processor Made with `new`, or taken from a module: `module.get(NotifyUsers)`.
 * @throws InvalidProcessorError, InvalidOptionsError for a misuse that would keep the application from starting
 * @throws IterationError for a job that makes no progress in 100 runs
 */
export async function iterate<P extends object>(
  processor: P,
  options: IterateOptions<P> = {},
): Promise<IterateResult<P>> {
  checkOptions(options);
  const { attempts = 1, cancelAfter, cursor, data, defaults = {}, interruptAfter, transactions } = options;
  const clock = { now: options.now ?? Date.now };
  const recording = new Recording();
  const items = new YieldedItems();
  const stops = new RunStops({ cancelAfter, interruptAfter });
  const observers = { items, recording, stops, failAt: failAtOf(options.failAt) };
  const definition = observedDefinition(processor, { defaults, transactions }, observers);
  const runs = new MemoryRuns(definition, { clock, items, recording, stops });
  const opts = { jobId: `iterate-${randomUUID()}`, attempts, ...(cursor !== undefined && startAfter(cursor)) };
  const job = runs.queue.add({ name: definition.jobName ?? definition.name, data, opts });
  await runs.runAll();
  const error = runs.errors.get(job.id);
  return {
    ...recording,
    items: recording.items as ItemOf<P>[],
    state: stateOf(job.state, error),
    ...(job.returnvalue !== undefined && { result: JSON.parse(job.returnvalue) as unknown }),
    ...(error && { error }),
  };
}

function stateOf(state: string, error: unknown): IterateResult<object>['state'] {
  if (state === 'completed') return 'completed';
  if (!error) return 'interrupted';
  return error instanceof IterationCancelledError ? 'cancelled' : 'failed';
}

function failAtOf(failAt: IterateOptions<object>['failAt']): FailAt {
  if (typeof failAt === 'function') return failAt;
  return (index) => failAt?.get(index);
}

const anything: Rule = () => true;
const itemsOfRuns: Rule = (value, where) => {
  const isList = Array.isArray(value) && value.every((items) => countOrNone(items, where) === true);
  return isList || count(value, where) === true || 'a whole number, 1 or more, or a list of whole numbers';
};
const failures: Rule = (value) => value instanceof Map || typeof value === 'function' || 'a Map or a function';

function checkOptions(options: IterateOptions<never>): void {
  check('iterate', options, {
    data: anything,
    cursor: anything,
    interruptAfter: itemsOfRuns,
    failAt: failures,
    attempts: count,
    cancelAfter: count,
    now: aFunction,
    transactions: anything,
    defaults: anything,
  });
  if (options.cursor !== undefined) checkJson(options.cursor);
  if (options.defaults !== undefined) checkIterationOptions(options.defaults);
}
