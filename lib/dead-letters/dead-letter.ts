import type { Cursor, Json } from '../cursor.js';
import { describe } from '../describe.js';
import { storable } from '../storable.js';

/** An item that was skipped, and why. */
export interface DeadLetter {
  /** Class name of the processor. */
  readonly processor: string;
  readonly job: { readonly queue: string; readonly id: string };
  /** Cursor of the item before it. */
  readonly before: Cursor;
  /** Cursor of the item. */
  readonly cursor: Cursor;
  /** The item, for people: what `describe` returned, else its JSON, cut at 1,024 characters. Empty in letters of older releases. */
  readonly summary: string;
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
  /** How often the item was tried in place, or killed its process. */
  readonly tries: number;
  /** ISO time. */
  readonly at: string;
}

/**
 * Orders a job's skipped items: when the job was added, its life, of a job with parts the part's index, and a number. A removed
 * job's id may be used again: the time distinguishes the two.
 */
export type LetterOrder = readonly number[];

/** A dead letter with everything that is needed to handle its item again. */
export interface DeadLetterRecord extends DeadLetter {
  /** Id of the letter's BullMQ job. Made from the job's id, so that writing a letter twice writes one. */
  readonly id: string;
  readonly order: LetterOrder;
  readonly jobName: string;
  /** The processor's `version` that made the cursors. */
  readonly version: string | number | null;
  /** One record of a batch, found by splitting it: by now a batch up to this cursor may have other records too. */
  readonly isRecord?: boolean;
  /** Of a job with parts: the id of the part's own job, and its value. */
  readonly part?: { readonly id: string; readonly value: Json };
  /** The redriving job that skipped the item again. */
  readonly redrivenBy?: string;
}

const MAX_SUMMARY = 1_024;
/** How many characters of an error are kept. */
const MAX_NAME = 200;
const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;

/** The part of an error that a letter keeps. */
export function keptError({ name, message, stack }: Error): DeadLetter['error'] {
  return {
    name: typeof name === 'string' ? keptText(name, MAX_NAME) : 'Error',
    message: keptText(String(message), MAX_MESSAGE),
    ...(typeof stack === 'string' && { stack: keptText(stack, MAX_STACK) }),
  };
}

/** @param describeItem The processor's own. @throws what it throws */
export function summaryOf(item: unknown, describeItem?: (item: never) => string): string {
  return keptText(describeItem ? String(describeItem(item as never)) : jsonOf(item), MAX_SUMMARY);
}

function jsonOf(item: unknown): string {
  try {
    return (
      JSON.stringify(item, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? describe(item)
    );
  } catch {
    return describe(item);
  }
}

/** A cut may leave half a surrogate pair. */
function keptText(text: string, length: number): string {
  return storable(text.slice(0, length));
}

export function isBefore(one: LetterOrder, other: LetterOrder): boolean {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (one[at] as number) < (other[at] as number);
}
