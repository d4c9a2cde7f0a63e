import type { Job, JobsOptions } from 'bullmq';
import type { ControlRequest, JobControl } from '../checkpoint/index.js';
import type { Json } from '../cursor.js';

/** The job option of a part: JSON text, since BullMQ's scripts for Redis change numbers and empty arrays of options. */
const PART = 'iterationPart';

/** One part of a job. The job that is split is called the whole. */
export interface Part {
  /** From 0, in the order of the list. */
  readonly index: number;
  readonly value: Json;
  /** Id of the whole. */
  readonly of: string;
  /** When the whole was added, in milliseconds since 1970. */
  readonly addedAt: number;
  /** The life of the whole that the part belongs to, and the number of the restart that began it. */
  readonly life: number;
  readonly restarted: number;
}

export function partOptions(part: Part): JobsOptions {
  return { [PART]: JSON.stringify(part) } as JobsOptions;
}

/** Whose part a job is. */
export interface PartPlace {
  /** The id of the job. */
  readonly of: string;
  readonly index: number;
}

/** Undefined: the job is no part of another one. */
export function partPlaceOf({ opts }: Pick<Job, 'opts'>): PartPlace | undefined {
  const part = partOf({ opts });
  return part && { of: part.of, index: part.index };
}

/** Undefined: the job is no part of another one. */
export function partOf({ opts }: Pick<Job, 'opts'>): Part | undefined {
  const { [PART]: text } = opts as { readonly [PART]?: string };
  return text === undefined ? undefined : (JSON.parse(text) as Part);
}

/** What is asked of a part because it is asked of the whole. A restart of the whole ends its parts: it is split anew. */
export function requestOfWhole({ restarted }: Part, { request, restart }: JobControl): ControlRequest | undefined {
  if (restart && restart.number > restarted)
    return { type: 'cancel', at: new Date(0).toISOString(), reason: 'the job is restarted', ofWhole: true };
  return request && { ...request, ofWhole: true };
}

/** Of what is asked of a part and of the whole, a cancellation is the stronger. */
export function stronger(
  own: ControlRequest | undefined,
  whole: ControlRequest | undefined,
): ControlRequest | undefined {
  return whole?.type === 'cancel' ? whole : (own ?? whole);
}
