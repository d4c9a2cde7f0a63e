import type { Cursor } from '../cursor.js';

/** An item that was skipped, and why (R24). */
export interface DeadLetter {
  /** The class. */
  readonly processor: string;
  readonly job: { readonly queue: string; readonly id: string };
  /** Of the item before it. */
  readonly before: Cursor;
  /** The item's own. */
  readonly cursor: Cursor;
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
  /** How often it was tried in place, or ended its process. */
  readonly tries: number;
  /** ISO time. */
  readonly at: string;
}

/** In which order a job's items were skipped. A removed job's id may come again: its timestamp tells it apart. */
export type LetterOrder = readonly [jobTimestamp: number, life: number, number: number];

/** A dead letter with what it takes to find it and to handle its item again. */
export interface Letter extends DeadLetter {
  /** Of its BullMQ job: made from the job's, so that to write it twice is to write it once. */
  readonly id: string;
  readonly order: LetterOrder;
  readonly jobName: string;
  /** The processor's `version` that the cursors were made with. */
  readonly version: string | number | null;
  /** One record of a batch, found by halving it: where it stands, a batch may have others too by now. */
  readonly isRecord?: boolean;
  /** The job that was to handle its item again, and skipped it too. */
  readonly redrivenBy?: string;
}

/** Longest parts of an error that are kept, in characters. */
const MAX_NAME = 200;
const MAX_MESSAGE = 2_000;
const MAX_STACK = 8_000;

/** What is kept of an error. */
export function keptError({ name, message, stack }: Error): DeadLetter['error'] {
  return {
    name: typeof name === 'string' ? keptText(name, MAX_NAME) : 'Error',
    message: keptText(String(message), MAX_MESSAGE),
    ...(typeof stack === 'string' && { stack: keptText(stack, MAX_STACK) }),
  };
}

/** PostgreSQL keeps neither U+0000 nor half a surrogate pair in JSON, and a cut may leave one. */
function keptText(text: string, length: number): string {
  return text
    .slice(0, length)
    .replace(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

export function isBefore(one: LetterOrder, other: LetterOrder): boolean {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (one[at] as number) < (other[at] as number);
}
