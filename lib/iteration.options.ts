import { isDeepStrictEqual } from 'node:util';
import type { InjectionToken } from '@nestjs/common';
import type { WorkerOptions } from 'bullmq';
import type { Cursor } from './cursor.js';

/** Options of BullMQ's worker, but for those that the registered queue or this library sets. */
export type IterationWorkerOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'autorun' | 'maxStartedAttempts'>;

/** How often the cursor is saved during a run. It is always saved when a run ends. */
export interface CheckpointOptions {
  /** Most milliseconds between two checkpoints. Default 1000. */
  everyMs?: number;
  /** Most items between two checkpoints. Default: no such limit. */
  everyItems?: number;
}

/** What becomes of an item whose handler throws (R24). BullMQ's control errors are no failures of an item. */
export interface ItemFailureOptions {
  /** Tries of an item in place, before it counts as one failure of the job, or is skipped. Default 1. */
  attempts?: number;
  /** Milliseconds between two tries: before the first, and doubled each time up to 5,000; or a function of the tries made. Default 100. */
  backoffMs?: number | ((attempt: number) => number);
  /** `'skip'`: the item is written to the dead letters, and the job continues with the next item. Default `'fail'`. */
  then?: 'fail' | 'skip';
  /** Which errors may be skipped; others fail the job. Default: all. */
  when?: (error: unknown) => boolean;
  /** Most skipped items in a job's life; with one more the job fails. Default 1000. */
  limit?: number;
}

/** What becomes of an item that ends its process (R19). */
export interface CrashOptions {
  /** How often a process may end in the same item. Default 3. */
  limit?: number;
  /** `'skip'`: the item is written to the dead letters. Default `'fail'`. */
  then?: 'fail' | 'skip';
}

/** Options of the module and of a processor; the processor's win, of two time limits the stricter. */
export interface RunOptions {
  /** A run ends after this many milliseconds, counted from its first finished item (R3). Default: no limit. */
  maxRuntimeMs?: number;
  /** How many milliseconds a job waits after a fair yield (not after a shutdown). Default 0. */
  resumeDelayMs?: number;
  checkpoint?: CheckpointOptions;
  itemFailure?: ItemFailureOptions;
  crashes?: CrashOptions;
  /**
   * How many items are handled at a time (R26): for handlers that wait, for a network say. Items begin in order; the checkpoint
   * is the last cursor below which everything is finished, and no more than so many are begun beyond it. Default 1.
   */
  itemConcurrency?: number;
  /** BullMQ's options of the queue's worker, such as `concurrency`. All processors of one queue must agree. */
  worker?: IterationWorkerOptions;
}

export interface IterationOptions extends RunOptions {
  /** `deadlineMs`: how long a shutdown waits for items in flight, in milliseconds. Default 25,000. */
  shutdown?: { deadlineMs?: number };
  /** How many milliseconds a job of a name that nobody handles is put back before it fails. Default 300,000. */
  unknownJobMs?: number;
  /** `false`: this process only adds and controls jobs. Default `true`. */
  workers?: boolean;
}

export interface ProcessorOptions extends RunOptions {
  /** The queue, as registered with `BullModule.registerQueue`. */
  queue: string;
  /** The job name; without it, every name of the queue. */
  name?: string;
  /** Of the meaning of this processor's cursors: raise it when old cursors mean something else (R10). */
  version?: string | number;
  /** What to do with a job whose checkpoint is of another `version`, or whose source changed. Default `'fail'`. */
  onChange?: 'fail' | 'restart' | ((old: { version: string | number | null; cursor: Cursor }) => Cursor);
  /** The token of a provided `TransactionHost`: what handlers write by `context.transaction` happens exactly once (R25). */
  transactions?: InjectionToken;
  /** Most items whose writes are committed together; also no more than those of one checkpoint interval. Default 1. */
  itemsPerTransaction?: number;
}

/** Every run option, resolved. */
export interface ResolvedRunOptions {
  readonly maxRuntimeMs: number;
  readonly resumeDelayMs: number;
  readonly checkpoint: { readonly everyMs: number; readonly everyItems: number };
  readonly itemFailure: Readonly<Required<ItemFailureOptions>>;
  readonly crashes: Readonly<Required<CrashOptions>>;
  readonly itemConcurrency: number;
  readonly worker: IterationWorkerOptions;
}

/** Every module option, resolved. */
export interface ResolvedIterationOptions {
  readonly run: RunOptions;
  readonly shutdownDeadlineMs: number;
  readonly unknownJobMs: number;
  readonly workers: boolean;
}

/**
 * Defaults of BullMQ's worker that let another worker take over a killed one's job within 10 s: the lock ends at most
 * `lockDuration` after the kill, and is then found within two `stalledInterval`s. A job may stall any number of times. After
 * a connection that was refused a worker waits `runRetryDelay`, which is 15 s by BullMQ's own default.
 */
const WORKER_DEFAULTS = {
  lockDuration: 7_000,
  stalledInterval: 1_000,
  maxStalledCount: 2 ** 31 - 1,
  runRetryDelay: 1_000,
} as const;

const ITEM_FAILURE_DEFAULTS = { attempts: 1, backoffMs: 100, then: 'fail', when: () => true, limit: 1_000 } as const;
const CRASH_DEFAULTS = { limit: 3, then: 'fail' } as const;

/** The lock is renewed this often in its duration, so that a worker may be slow for most of it. */
const RENEWALS_PER_LOCK = 4;

/** Where each option stands beside its default. */
export function resolveIterationOptions(options: IterationOptions = {}): ResolvedIterationOptions {
  return {
    run: options,
    shutdownDeadlineMs: options.shutdown?.deadlineMs ?? 25_000,
    unknownJobMs: options.unknownJobMs ?? 300_000,
    workers: options.workers ?? true,
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
    worker: { lockRenewTime: worker.lockDuration / RENEWALS_PER_LOCK, ...worker },
  };
}

/** Without what is undefined, which would hide a default. */
function given<Options extends object>(options: Options | undefined): Partial<Options> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<Options>;
}

/** Whether two processors ask the same of their common worker. */
export function sameWorkerOptions(one: ResolvedRunOptions, other: ResolvedRunOptions): boolean {
  return isDeepStrictEqual(one.worker, other.worker);
}
