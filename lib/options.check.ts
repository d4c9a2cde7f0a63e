import { InvalidOptionsError } from './iteration.errors.js';
import type { IterationOptions, IterationWorkerOptions, ProcessorOptions } from './iteration.options.js';
import {
  aFunction,
  check,
  checkOption,
  count,
  countOrNone,
  flag,
  interval,
  LONGEST_TIMER_MS,
  milliseconds,
  nonEmptyString,
  object,
  oneOf,
  type Rule,
  type Rules,
  rate,
  required,
  timer,
} from './rules.js';

/** @throws InvalidOptionsError for wrong options of `IterationModule.forRoot`. */
export function checkIterationOptions(options: unknown): asserts options is IterationOptions {
  check('IterationModule', options, {
    ...RUN_RULES,
    shutdown: object({ deadlineMs: timer }),
    unknownJobMs: milliseconds,
    aroundRun: aFunction,
    workers: flag,
  });
}

/** @throws InvalidOptionsError for wrong options of `@IterativeProcessor` on the class `name`. */
export function checkProcessorOptions(name: string, options: unknown): asserts options is ProcessorOptions {
  check(`@IterativeProcessor of ${name}`, options, {
    ...RUN_RULES,
    queue: nonEmptyString,
    name: nonEmptyString,
    version: (value) => typeof value === 'string' || Number.isFinite(value) || 'a string or a number',
    onChange: (value) =>
      value === 'fail' || value === 'restart' || typeof value === 'function' || "'fail', 'restart' or a function",
    transactions: (value) =>
      ['string', 'symbol', 'function'].includes(typeof value) ||
      'the token of a provider: a class, a string or a symbol',
    itemsPerTransaction: count,
    describe: aFunction,
    partFailure: oneOf('fail', 'continue'),
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

const BACKOFF = `a number of milliseconds, 0 to ${LONGEST_TIMER_MS}, or a function of the tries made`;
const failOrSkip = oneOf('fail', 'skip');
/** BullMQ checks its other options. */
const WORKER_RULES: Rules = {
  concurrency: count,
  lockDuration: interval,
  lockRenewTime: interval,
  stalledInterval: interval,
  maxStalledCount: countOrNone,
  skipLockRenewal: (value) =>
    value === false || 'false: without renewals a job loses its lock while it runs, and another worker takes it',
};

/** @throws InvalidOptionsError for worker options of the module and the processor that do not fit together. */
export function checkWorkerOptions(name: string, { lockDuration, lockRenewTime }: IterationWorkerOptions): void {
  if (lockDuration === undefined || lockRenewTime === undefined || lockRenewTime < lockDuration) return;
  throw new InvalidOptionsError(
    `${name}: the worker's "lockRenewTime" is ${lockRenewTime} ms and its "lockDuration" ${lockDuration} ms: a lock would expire before it ` +
      'is renewed, and another worker would take the job while it runs. Leave lockRenewTime out (a quarter of lockDuration), or lower it',
  );
}
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

/** A number of items, or a percentage of them. */
const skipLimit: Rule = (value, where) => {
  if (typeof value !== 'object')
    return countOrNone(value, where) === true || `${countOrNone(undefined, where)}, or { percent, after? }`;
  check(where, value, { percent: required(percent), after: countOrNone });
  return true;
};

const percent: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && value <= 100) || 'a number of percent, 0 to 100';

const RUN_RULES: Rules = {
  maxRuntimeMs: milliseconds,
  resumeDelayMs: milliseconds,
  checkpoint: object({ everyMs: milliseconds, everyItems: count }),
  itemFailure: object({
    attempts: count,
    backoffMs: (value, where) => typeof value === 'function' || timer(value, where) === true || BACKOFF,
    then: failOrSkip,
    when: (value) => typeof value === 'function' || 'a function of the error',
    limit: skipLimit,
    consecutive: count,
    onLimit: oneOf('fail', 'pause'),
  }),
  crashes: object({ limit: count, then: failOrSkip }),
  itemConcurrency: count,
  itemsPerSecond: rate,
  worker,
};
