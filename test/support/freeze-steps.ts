/** How a job ends on the worker that is frozen. */
export type FreezeEnd = 'complete' | 'delay' | 'wait' | 'fail' | 'retry';

/** Where runs are held when their process is frozen, by how they end there: before a command is sent, or its answer handled. */
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

/** What the other worker is at when the frozen one thaws. */
export type Meanwhile = 'done' | 'at an item';

export interface FrozenJob {
  readonly step: string;
  readonly end: FreezeEnd;
  readonly meanwhile: Meanwhile;
}

const MEANWHILE: readonly Meanwhile[] = ['done', 'at an item'];

/** By their ids. */
export const FROZEN_JOBS: ReadonlyMap<string, FrozenJob> = new Map(
  MEANWHILE.flatMap((meanwhile) =>
    (Object.keys(STEPS) as FreezeEnd[]).flatMap((end) => STEPS[end].map((step) => ({ step, end, meanwhile }))),
  ).map((job) => [`${job.step}, the other is ${job.meanwhile}`, job]),
);

/** Its handler is synchronous: the process is frozen in the midst of it. */
export const SYNCHRONOUS = 'synchronous';
/** It completes when all others are held, and with the answer another job is claimed, one of those that were put back. */
export const CLAIMER = 'claimer';
export const CLAIMED = 'claimed';

export const ITEMS = 4;
/** The item at which a job ends otherwise than by completing. */
export const END_ITEM = 2;

const concurrency = FROZEN_JOBS.size + 2;
/** It looks for no stalled jobs: on a slow machine, whose locks end before they are renewed, it would take its own again. */
export const FROZEN_WORKER = { concurrency, lockDuration: 6_000, skipStalledCheck: true } as const;
/** Its locks do not end: the frozen worker has no right to take a job again when it has thawed. */
export const OTHER_WORKER = { concurrency, lockDuration: 60_000, stalledInterval: 250 } as const;

/** What a worker is told by its test. */
export interface FreezesConfig {
  readonly place: object;
  readonly postgresQueue: boolean;
  /** Where the renewal of the locks is held. */
  readonly renewal: 'before' | 'after';
}
