/** The steps of a job with parts at which its worker is killed, in order. */
export const JOB_STEPS = [
  'before the list is saved',
  'after the list is saved',
  'start hook',
  'before start is saved',
  'after start is saved',
  'before parts are added',
  'in the middle of adding',
  'after parts are added',
  'before the wait is saved',
  'after the wait is saved',
  'before moveToWaitingChildren',
  'after moveToWaitingChildren',
  'before settled is saved',
  'after settled is saved',
  'before complete is saved',
  'after complete is saved',
  'complete hook',
  'end hook',
  'in the middle of removing',
  'before moveToCompleted',
  'after moveToCompleted',
] as const;

/** Those of its first part. */
export const PART_STEPS = [
  'part: build',
  'part: in the middle of its items',
  'part: before complete is saved',
  'part: after complete is saved',
  'part: before moveToCompleted',
  'part: after moveToCompleted',
] as const;

/** Those of a job that is retried by hand, with two parts that had failed. */
export const RETRY_STEPS = [
  'before failed parts are retried',
  'in the middle of retrying parts',
  'after failed parts are retried',
] as const;

export const PART_KILLS = [...JOB_STEPS, ...PART_STEPS, ...RETRY_STEPS] as const;
export type PartKill = (typeof PART_KILLS)[number];

/** Each step is that of one job, and of its parts. */
export function jobIdOf(step: PartKill): string {
  return `job-${PART_KILLS.indexOf(step)}`;
}

/** The step of a job, by its id or by that of a part. */
export function stepOf(id: string): PartKill | undefined {
  return PART_KILLS[Number(/^job-(\d+)/.exec(id)?.[1])];
}

export function isRetried(step: PartKill | undefined): boolean {
  return (RETRY_STEPS as readonly (PartKill | undefined)[]).includes(step);
}

/** Parts that fail before the job is retried. */
export const FAILING = [0, 2];

export const PARTS = 4;
export const ITEMS_OF_A_PART = 4;

/** The configuration that the test gives a worker. */
export interface PartKillsConfig {
  readonly place: object;
  readonly postgresQueue: boolean;
  /** Has a file for each step at which a worker was killed: it happens once. */
  readonly deaths: string;
}
