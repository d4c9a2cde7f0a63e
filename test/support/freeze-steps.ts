/** How a job ends on the worker that is frozen. */
export type FreezeEnd = 'complete' | 'delay' | 'wait' | 'fail' | 'retry';

/** Steps at which runs are held while their process is frozen, by the way the run ends. */
const STEPS: Readonly<Record<FreezeEnd, readonly string[]>> = {
  complete: [
    'build',
    'hook start',
    'item',
    'item that waits for its signal',
    'page',
    'before save begin',
    'after save begin',
    'before save item',
    'after save item',
    'before save complete',
    'after save complete',
    'hook complete',
    'hook end complete',
    'before moveToCompleted',
    'after moveToCompleted',
  ],
  delay: [
    'before save interrupt',
    'after save interrupt',
    'hook interrupt',
    'hook end interrupt',
    'before moveToDelayed',
    'after moveToDelayed',
  ],
  wait: ['before moveJobFromActiveToWait', 'after moveJobFromActiveToWait'],
  fail: [
    'before save fail',
    'after save fail',
    'hook fail',
    'hook end fail',
    'before moveToFailed',
    'after moveToFailed',
  ],
  retry: ['before save retry', 'after save retry', 'hook end retry', 'before retryJob', 'after retryJob'],
};

/** The state of the other worker when the frozen one thaws. */
export type Meanwhile = 'done' | 'at an item';

export interface FrozenJob {
  readonly step: string;
  readonly end: FreezeEnd;
  readonly meanwhile: Meanwhile;
}

const MEANWHILE: readonly Meanwhile[] = ['done', 'at an item'];

/** The jobs, by id. */
export const FROZEN_JOBS: ReadonlyMap<string, FrozenJob> = new Map(
  MEANWHILE.flatMap((meanwhile) =>
    (Object.keys(STEPS) as FreezeEnd[]).flatMap((end) => STEPS[end].map((step) => ({ step, end, meanwhile }))),
  ).map((job) => [`${job.step}, the other is ${job.meanwhile}`, job]),
);

/** A job with a synchronous handler, during which the process freezes. */
export const SYNCHRONOUS = 'synchronous';
/** A job that completes when all others are held. The answer claims another job, one of those that were put back. */
export const CLAIMER = 'claimer';
export const CLAIMED = 'claimed';

export const ITEMS = 4;
/** The item at which a job ends otherwise than by completing. */
export const END_ITEM = 2;

const concurrency = FROZEN_JOBS.size + 2;
/**
 * Without the stalled check: on a slow machine, whose locks expire before their renewal, it would retake its own jobs.
 */
export const FROZEN_WORKER = { concurrency, lockDuration: 6_000, skipStalledCheck: true } as const;
/** Its locks do not expire: the thawed worker must not take a job again. */
export const OTHER_WORKER = { concurrency, lockDuration: 60_000, stalledInterval: 250 } as const;

/** The configuration that the test gives a worker. */
export interface FreezesConfig {
  readonly place: object;
  readonly postgresQueue: boolean;
  /** Where the renewal of the locks is held. */
  readonly renewal: 'before' | 'after';
}
