import { inspect } from 'node:util';
import { IterationError } from '../../iteration.errors.js';

/** The error as it is, or one around what is not an Error: BullMQ reads `message` of whatever was thrown. */
export function toError(thrown: unknown, by: string): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown === 'object' && thrown !== null && typeof (thrown as Error).message === 'string')
    return thrown as Error;
  const shown = typeof thrown === 'object' && thrown !== null ? inspect(thrown) : String(thrown);
  return new IterationError(
    `${by} threw ${shown}, which is not an Error. Throw an Error, which has a message and a stack`,
    {
      cause: thrown,
    },
  );
}

/**
 * What a function of the user's gives.
 *
 * @param by Its name, for what it throws that is not an Error: `fetch of pages`.
 */
export async function called<Result>(by: string, call: () => Result): Promise<Awaited<Result>> {
  try {
    return await call();
  } catch (thrown) {
    throw toError(thrown, by);
  }
}
