import type { Job, JobsOptions } from 'bullmq';
import type { Cursor } from '../cursor.js';

/**
 * The job option that carries `enqueue`'s cursor: added with the job in one step, before a worker can take it. It is JSON
 * text, since BullMQ's scripts for Redis decode and encode options: numbers would keep 14 digits, and an empty array would
 * become an object.
 */
const TEXT = 'iterationCursorText';
/** The cursor itself, in jobs that the first release 0.1.0 added. */
const VALUE = 'iterationCursor';

type InitialCursor = { readonly [TEXT]?: string; readonly [VALUE]?: Cursor };

/** Options of a job that starts after a cursor. */
export function startAfter(cursor: Cursor): JobsOptions {
  return { [TEXT]: JSON.stringify(cursor) } as JobsOptions;
}

/** The cursor after which a job starts; null: at the beginning. */
export function initialCursor({ opts }: Pick<Job, 'opts'>): Cursor {
  const { [TEXT]: text, [VALUE]: value = null } = opts as InitialCursor;
  return text === undefined ? value : (JSON.parse(text) as Cursor);
}

/** The job option that carries `enqueue`'s canary. */
const CANARY = 'iterationCanary';

/** Options of a job that pauses itself after its first items. */
export function canaryOptions(items: number): JobsOptions {
  return { [CANARY]: items } as JobsOptions;
}

/** After how many items the job pauses itself (R35); undefined: it does not. */
export function canaryOf({ opts }: Pick<Job, 'opts'>): number | undefined {
  return (opts as { readonly [CANARY]?: number })[CANARY];
}
