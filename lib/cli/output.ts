import type { IterationStatus } from '../control/index.js';
import { printable } from './text.js';

/** What a command has to say: as JSON, and for people. */
export interface Output {
  readonly json: unknown;
  readonly text: string;
  /** Whether a job refused what was asked of it. */
  readonly isRefused?: boolean;
}

/** Prints what a command has to say. */
export type Print = (output: Output, options: { readonly json?: boolean }) => void;

/** The parser of the command line takes `null` for an option without a value. */
export interface Given<Value> {
  readonly value: Value;
}

/** A job after something was asked of it. */
export function statusOutput(status: IterationStatus): Output {
  const { cursor, id, name, state } = status;
  const where = cursor === null ? 'before its first item' : `after cursor ${printable(JSON.stringify(cursor))}`;
  const text = `Job ${printable(id)} (${printable(name)}) is ${state}, ${where}.\n`;
  return { json: status, text };
}
