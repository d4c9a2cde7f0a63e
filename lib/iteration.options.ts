import { inspect, isDeepStrictEqual } from 'node:util';
import type { InjectionToken } from '@nestjs/common';
import type { WorkerOptions } from 'bullmq';
import type { Cursor } from './cursor.js';
import { InvalidOptionsError } from './iteration.errors.js';

/** Options of BullMQ's worker, but for those that the registered queue or this library sets. */
export type IterationWorkerOptions = Omit<WorkerOptions, 'connection' | 'prefix' | 'autorun' | 'maxStartedAttempts'>;

/** How often the cursor is saved while a run goes on; it is always saved when a run ends. */
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
  /** `'skip'`: the item is written to the dead letters, and the job goes on behind it. Default `'fail'`. */
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
 * `lockDuration` after the kill, and is then found within two `stalledInterval`s. A job may stall any number of times.
 */
const WORKER_DEFAULTS = { lockDuration: 7_000, stalledInterval: 1_000, maxStalledCount: 2 ** 31 - 1 } as const;

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
    worker: { lockRenewTime: worker.lockDuration / RENEWALS_PER_LOCK, ...worker },
  };
}

/** Without what is undefined, which would hide a default. */
function given<Options extends object>(options: Options | undefined): Partial<Options> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<Options>;
}

/** @throws InvalidOptionsError for what `IterationModule.forRoot` was given. */
export function checkIterationOptions(options: unknown): asserts options is IterationOptions {
  check('IterationModule', options, {
    ...RUN_RULES,
    shutdown: object({ deadlineMs: timer }),
    unknownJobMs: milliseconds,
    workers: (value) => typeof value === 'boolean' || 'true or false',
  });
}

/** @throws InvalidOptionsError for what `@IterativeProcessor` on the class `name` was given. */
export function checkProcessorOptions(name: string, options: unknown): asserts options is ProcessorOptions {
  check(`@IterativeProcessor of ${name}`, options, {
    ...RUN_RULES,
    queue: (value) => nonEmptyString(value),
    name: nonEmptyString,
    version: (value) => typeof value === 'string' || Number.isFinite(value) || 'a string or a number',
    onChange: (value) =>
      value === 'fail' || value === 'restart' || typeof value === 'function' || "'fail', 'restart' or a function",
    transactions: (value) =>
      ['string', 'symbol', 'function'].includes(typeof value) ||
      'the token of a provider: a class, a string or a symbol',
    itemsPerTransaction: count,
  });
  if ((options as ProcessorOptions).queue === undefined) {
    throw new InvalidOptionsError(`@IterativeProcessor of ${name}: it names no queue. Give it one: { queue: '...' }`);
  }
  const { itemsPerTransaction, transactions } = options as ProcessorOptions;
  if (itemsPerTransaction !== undefined && transactions === undefined) {
    throw new InvalidOptionsError(
      `@IterativeProcessor of ${name}: "itemsPerTransaction" is set, but there are no transactions. Set "transactions" too`,
    );
  }
}

/** Whether two processors ask the same of their common worker. */
export function sameWorkerOptions(one: ResolvedRunOptions, other: ResolvedRunOptions): boolean {
  return isDeepStrictEqual(one.worker, other.worker);
}

/** True, or what would have been right. */
type Rule = (value: unknown, where: string) => true | string;
type Rules = Readonly<Record<string, Rule>>;

const milliseconds: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && !Number.isNaN(value)) || 'a number of milliseconds, 0 or more';
/** Node's timers count in 32 bits: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const timer: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS) ||
  `a number of milliseconds, 0 to ${LONGEST_TIMER_MS}`;
const interval: Rule = (value) =>
  (typeof value === 'number' && value > 0 && value < Infinity) || 'a number of milliseconds, more than 0';
const count: Rule = (value) => (Number.isInteger(value) && (value as number) >= 1) || 'a whole number, 1 or more';
const countOrNone: Rule = (value) => (Number.isInteger(value) && (value as number) >= 0) || 'a whole number, 0 or more';
const nonEmptyString = (value: unknown): true | string =>
  (typeof value === 'string' && value !== '') || 'a string that is not empty';
const BACKOFF = `a number of milliseconds, 0 to ${LONGEST_TIMER_MS}, or a function of the tries made`;
const failOrSkip: Rule = (value) => value === 'fail' || value === 'skip' || "'fail' or 'skip'";
const object =
  (rules: Rules): Rule =>
  (value, where) => {
    check(where, value, rules);
    return true;
  };
/** BullMQ knows its other options, and refuses wrong ones itself. */
const WORKER_RULES: Rules = {
  concurrency: count,
  lockDuration: interval,
  lockRenewTime: interval,
  stalledInterval: interval,
  maxStalledCount: countOrNone,
};
const worker: Rule = (value, where) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return "an object of BullMQ's worker options";
  }
  const reasons: Record<string, string> = {
    connection: 'it is taken from the registered queue',
    prefix: 'it is taken from the registered queue',
    autorun: 'workers start after the whole application has bootstrapped',
    maxStartedAttempts:
      'BullMQ counts interruptions as starts, so it would fail healthy jobs. Use the job\'s "attempts"',
  };
  for (const [name, option] of Object.entries(value)) {
    if (reasons[name]) throw new InvalidOptionsError(`${where}: "${name}" cannot be set here: ${reasons[name]}`);
    const rule = WORKER_RULES[name];
    if (rule) checkOption(where, [name, option], rule);
  }
  return true;
};

const RUN_RULES: Rules = {
  maxRuntimeMs: milliseconds,
  resumeDelayMs: milliseconds,
  checkpoint: object({ everyMs: milliseconds, everyItems: count }),
  itemFailure: object({
    attempts: count,
    backoffMs: (value, where) => typeof value === 'function' || timer(value, where) === true || BACKOFF,
    then: failOrSkip,
    when: (value) => typeof value === 'function' || 'a function of the error',
    limit: countOrNone,
  }),
  crashes: object({ limit: count, then: failOrSkip }),
  worker,
};

function check(where: string, options: unknown, rules: Rules): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionsError(`${where}: the options are ${inspect(options)}; they must be an object`);
  }
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) {
      throw new InvalidOptionsError(
        `${where}: unknown option "${name}". Did you mean "${nearest(name, Object.keys(rules))}"?`,
      );
    }
    checkOption(where, [name, value], rule);
  }
}

function checkOption(where: string, [name, value]: readonly [string, unknown], rule: Rule): void {
  const verdict = value === undefined || rule(value, `${where}, option "${name}"`);
  if (verdict !== true) {
    throw new InvalidOptionsError(
      `${where}: option "${name}" is ${inspect(value, { depth: 1, breakLength: Infinity })}; it must be ${verdict}`,
    );
  }
}

/** The name with the fewest edits to `name`. */
export function nearest(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => editDistance(name.toLowerCase(), candidate.toLowerCase()));
  return known[distances.indexOf(Math.min(...distances))] ?? '';
}

function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (previous[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] as number) + 1, (current[j - 1] as number) + 1, substitution));
    }
    previous = current;
  }
  return previous.at(-1) as number;
}
