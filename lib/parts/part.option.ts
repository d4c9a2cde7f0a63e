import type { Job, JobsOptions } from 'bullmq';
import type { Json } from '../cursor.js';

/** The job option of a part: JSON text, since BullMQ's scripts for Redis change numbers and empty arrays of options. */
const PART = 'iterationPart';

/** One part of a job. */
export interface Part {
  /** From 0, in the order of the list. */
  readonly index: number;
  readonly value: Json;
}

export function partOptions(part: Part): JobsOptions {
  return { [PART]: JSON.stringify(part) } as JobsOptions;
}

/** Undefined: the job is no part of another one. */
export function partOf({ opts }: Pick<Job, 'opts'>): Part | undefined {
  const { [PART]: text } = opts as { readonly [PART]?: string };
  return text === undefined ? undefined : (JSON.parse(text) as Part);
}
