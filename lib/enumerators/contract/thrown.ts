import { inspect } from 'node:util';
import { describe } from '../../describe.js';
import { IterationError } from '../../iteration.errors.js';

/** The error itself, or an Error around a thrown value of another kind: BullMQ reads `message` of what was thrown. */
export function toError(thrown: unknown, by: string): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown === 'object' && thrown !== null && typeof (thrown as Error).message === 'string')
    return thrown as Error;
  // All that it holds: nothing else says what went wrong.
  const shown = typeof thrown === 'object' && thrown !== null ? inspect(thrown) : describe(thrown);
  return new IterationError(
    `${by} threw ${shown}, which is not an Error. Throw an Error, which has a message and a stack`,
    { cause: thrown },
  );
}

/**
 * The result of a function that user code gave.
 *
 * @param by Name of the function, such as `fetch of pages`. Used when it throws something that is not an Error.
 */
export async function called<Result>(by: string, call: () => Result): Promise<Awaited<Result>> {
  try {
    return await call();
  } catch (thrown) {
    throw toError(thrown, by);
  }
}
