import type { Cursor } from '../cursor.js';
import { IterationError } from '../iteration.errors.js';

/**
 * What is wrong with an enumerator:
 * `skips`: an item is lost on resume; `repeats`: a finished one comes again; `order`: items come in another order;
 * `unknown item`: one comes that was not there when it was read from the beginning; `after the end`: an item follows the last
 * one; `no cursor`: it is null or undefined; `cursor`: JSON gives it back as another value, or it is too large; `same cursor`:
 * two items have it; `unstable cursor`: built twice after the same position, an item has two cursors; `endless`: it has more
 * than `maxItems` items; `no enumerator`: what was built cannot be iterated.
 */
export type ResumeProblem =
  | 'skips'
  | 'repeats'
  | 'order'
  | 'unknown item'
  | 'after the end'
  | 'no cursor'
  | 'cursor'
  | 'same cursor'
  | 'unstable cursor'
  | 'endless'
  | 'no enumerator';

/** An enumerator that cannot be resumed exactly. */
export class ResumeError extends IterationError {
  constructor(
    message: string,
    readonly problem: ResumeProblem,
    /** How many items were finished before. */
    readonly position: number,
    /** What the enumerator was built to start after. */
    readonly cursor: Cursor,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
