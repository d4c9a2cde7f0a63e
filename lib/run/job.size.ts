import { inspect } from 'node:util';
import type { EnumeratorLike } from '../enumerators/contract/index.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { toError } from './failure.js';
import { isPromise } from './is.promise.js';
import type { RunCheckpoint } from './run.checkpoint.js';
import type { RunLog } from './run.log.js';

/** Asks a source how many items it has, once in a job's life, beside its first items: a count may take long. */
export function askSize(enumerator: EnumeratorLike<unknown>, checkpoint: RunCheckpoint, log: RunLog): void {
  if (checkpoint.current.size !== undefined || !('size' in enumerator) || typeof enumerator.size !== 'function') return;
  const warn = (error: unknown) => log.warn(`its size is not known: ${toError(error, 'size').message}`);
  const keep = (size: unknown) => {
    if (Number.isFinite(size) && (size as number) >= 0) checkpoint.change({ size: size as number });
    else if (size === undefined) checkpoint.change({ size: null });
    else warn(new InvalidEnumeratorError(`size gave ${inspect(size)}, which is no number of items`));
  };
  try {
    const size: unknown = enumerator.size();
    if (isPromise(size)) Promise.resolve(size).then(keep, warn);
    else keep(size);
  } catch (error) {
    warn(error);
  }
}
