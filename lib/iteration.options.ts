import { isDeepStrictEqual } from 'node:util';
import type { InjectionToken } from '@nestjs/common';
import type { WorkerOptions } from 'bullmq';
import type { AroundRun } from './around.run.js';
import type { Cursor } from './cursor.js';

/** Options of BullMQ's worker, without those that the registered queue or this library sets. */
export type IterationWorkerOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'autorun' | 'maxStartedAttempts'>;

/** How often the cursor is saved during a run. It is always saved when a run ends. */
export interface CheckpointOptions {
  /** Most milliseconds between two checkpoints. Default 1000. */
  everyMs?: number;
  /** Most items between two checkpoints. Default: no such limit. */
  everyItems?: number;
}

/**
 * What happens to an item whose handler throws ([R24](docs/guarantees.md#r24)). BullMQ's control errors are not failures of an
 * item.
 */
export interface ItemFailureOptions {
  /** Tries of an item in place, before it is skipped or counts as one failure of the job. Default 1. */
  attempts?: number;
  /** Milliseconds before the first retry, doubled each time up to 5,000; or a function of the tries made. Default 100. */
  backoffMs?: number | ((attempt: number) => number);
  /** `'skip'`: the item is written to the dead letters, and the job continues after it. Default `'fail'`. */
  then?: 'fail' | 'skip';
  /** Which errors may be skipped; others fail the job. Default: all. */
  when?: (error: unknown) => boolean;
  /**
   * Most skipped items in a job's life, or most percent of the items seen, looked at after `after` (1000) items. Default 1000
   * items ([R37](docs/guarantees.md#r37)).
   */
  limit?: number | { percent: number; after?: number };
  /** Most skipped items in a row. Default: no limit. */
  consecutive?: number;
  /** With one skip more, `'fail'`: the job fails; `'pause'`: it is paused, and `resume` grants the limits anew. Default `'fail'`. */
  onLimit?: 'fail' | 'pause';
}

/** What happens to an item that crashes its process ([R19](docs/guarantees.md#r19)). */
export interface CrashOptions {
  /** How often processes may crash in the same item. Default 3. */
  limit?: number;
  /** `'skip'`: the item is written to the dead letters. Default `'fail'`. */
  then?: 'fail' | 'skip';
}

/** Options of the module and of a processor. The processor's apply; of two time limits, the stricter one. */
export interface RunOptions {
  /**
   * A run ends after this many milliseconds, counted from its first finished item ([R3](docs/guarantees.md#r3)). Default: no
   * limit.
   */
  maxRuntimeMs?: number;
  /** How many milliseconds a job waits after a fair yield (not after a shutdown). Default 0. */
  resumeDelayMs?: number;
  checkpoint?: CheckpointOptions;
  itemFailure?: ItemFailureOptions;
  crashes?: CrashOptions;
  /**
   * How many items are handled at a time ([R26](docs/guarantees.md#r26)), for handlers that wait, such as for a network. Items
   * start in order. The checkpoint is the last cursor up to which everything is finished; at most this many start after it.
   * Default 1. It holds for all parts of a job together; by default, each part handles one.
   */
  itemConcurrency?: number;
  /**
   * Most items that begin in a second, over all runs and parts of a job ([R34](docs/guarantees.md#r34)). A batch is one item. A wait of up
   * to five seconds happens within the run; for a longer one the job is put back. Default: no limit.
   */
  itemsPerSecond?: number;
  /** BullMQ's options of the queue's worker, such as `concurrency`. All processors of one queue must agree. */
  worker?: IterationWorkerOptions;
}

export interface IterationOptions extends RunOptions {
  /** Called around each run: opens an AsyncLocalStorage context, or a trace's span. */
  aroundRun?: AroundRun;
  /** `deadlineMs`: how long a shutdown waits for items in flight, in milliseconds. Default 25,000. */
  shutdown?: { deadlineMs?: number };
  /** For how many milliseconds a job with an unknown name is put back before it fails. Default 300,000. */
  unknownJobMs?: number;
  /** `false`: this process only adds and controls jobs. Default `true`. */
  workers?: boolean;
}

export interface ProcessorOptions extends RunOptions {
  /** The queue, as registered with `BullModule.registerQueue`. */
  queue: string;
  /** The job name; without it, every name of the queue. */
  name?: string;
  /** The version of this processor's cursors: raise it when old cursors mean something else ([R10](docs/guarantees.md#r10)). */
  version?: string | number;
  /** What happens to a job whose checkpoint has another `version`, or whose source changed. Default `'fail'`. */
  onChange?: 'fail' | 'restart' | ((old: { version: string | number | null; cursor: Cursor }) => Cursor);
  /**
   * The token of a provided `TransactionHost`: handlers' writes through `context.transaction` happen exactly once
   * ([R25](docs/guarantees.md#r25)).
   */
  transactions?: InjectionToken;
  /** The most items whose writes commit together, within one checkpoint interval. Default 1. */
  itemsPerTransaction?: number;
  /**
   * What a part that failed means for its job ([R27](docs/guarantees.md#r27)): the job fails when all parts have ended, or it
   * completes, and its result names the part. Default `'fail'`.
   */
  partFailure?: 'fail' | 'continue';
  /** Describes an item for people, in its dead letter. Default: its JSON, cut at 1,024 characters. */
  describe?: (item: never) => string;
}

/** Every run option, resolved. */
export interface ResolvedRunOptions {
  readonly maxRuntimeMs: number;
  readonly resumeDelayMs: number;
  readonly checkpoint: { readonly everyMs: number; readonly everyItems: number };
  readonly itemFailure: Readonly<Required<ItemFailureOptions>>;
  readonly crashes: Readonly<Required<CrashOptions>>;
  readonly itemConcurrency: number;
  /** Of a job with parts, over all of them. */
  readonly maxItemsInFlight: number;
  readonly itemsPerSecond: number;
  readonly worker: IterationWorkerOptions;
}

/** Every module option, resolved. */
export interface ResolvedIterationOptions {
  readonly run: RunOptions;
  readonly shutdownDeadlineMs: number;
  readonly unknownJobMs: number;
  readonly workers: boolean;
  readonly aroundRun: AroundRun | undefined;
}

/**
 * Defaults of BullMQ's worker with which another worker takes over a killed worker's job within 10 s. The lock expires at most
 * `lockDuration` after the kill, which is noticed within two `stalledInterval`s. A job may stall any number of times. A worker
 * whose connection was refused waits `runRetryDelay`; BullMQ's own default is 15 s.
 */
const WORKER_DEFAULTS = {
  lockDuration: 7_000,
  stalledInterval: 1_000,
  maxStalledCount: 2 ** 31 - 1,
  runRetryDelay: 1_000,
} as const;

const ITEM_FAILURE_DEFAULTS = {
  attempts: 1,
  backoffMs: 100,
  then: 'fail',
  when: () => true,
  limit: 1_000,
  consecutive: Infinity,
  onLimit: 'fail',
} as const;
const CRASH_DEFAULTS = { limit: 3, then: 'fail' } as const;

/** How often the lock is renewed within its duration. A worker may then be slow for most of it. */
const RENEWALS_PER_LOCK = 4;

/** The options, each with its default. */
export function resolveIterationOptions(options: IterationOptions = {}): ResolvedIterationOptions {
  return {
    run: options,
    shutdownDeadlineMs: options.shutdown?.deadlineMs ?? 25_000,
    unknownJobMs: options.unknownJobMs ?? 300_000,
    workers: options.workers ?? true,
    aroundRun: options.aroundRun,
  };
}

export function resolveRunOptions(module: RunOptions, processor: RunOptions): ResolvedRunOptions {
  const everyMs = processor.checkpoint?.everyMs ?? module.checkpoint?.everyMs ?? 1_000;
  const everyItems = processor.checkpoint?.everyItems ?? module.checkpoint?.everyItems ?? Infinity;
  const worker = { ...WORKER_DEFAULTS, ...given(module.worker), ...given(processor.worker) };
  return {
    maxRuntimeMs: Math.min(module.maxRuntimeMs ?? Infinity, processor.maxRuntimeMs ?? Infinity),
    resumeDelayMs: processor.resumeDelayMs ?? module.resumeDelayMs ?? 0,
    checkpoint: { everyMs, everyItems: everyMs === 0 ? 1 : everyItems },
    itemFailure: { ...ITEM_FAILURE_DEFAULTS, ...given(module.itemFailure), ...given(processor.itemFailure) },
    crashes: { ...CRASH_DEFAULTS, ...given(module.crashes), ...given(processor.crashes) },
    itemConcurrency: processor.itemConcurrency ?? module.itemConcurrency ?? 1,
    maxItemsInFlight: processor.itemConcurrency ?? module.itemConcurrency ?? Infinity,
    itemsPerSecond: processor.itemsPerSecond ?? module.itemsPerSecond ?? Infinity,
    worker: { lockRenewTime: worker.lockDuration / RENEWALS_PER_LOCK, ...worker },
  };
}

/** The options without undefined values, which would hide a default. */
function given<Options extends object>(options: Options | undefined): Partial<Options> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<Options>;
}

/** For processors with a common worker. */
export function sameWorkerOptions(one: ResolvedRunOptions, other: ResolvedRunOptions): boolean {
  return isDeepStrictEqual(one.worker, other.worker);
}
