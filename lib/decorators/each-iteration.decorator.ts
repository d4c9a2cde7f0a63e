import { mark } from './metadata.js';
import type { Handler } from './processor.types.js';

/**
 * The method that handles one item. The cursor moves when it has succeeded (R2); what it throws fails the job's attempt,
 * which is tried again with the same item.
 */
export function EachIteration(): <P extends object, M extends Handler<P>>(
  target: P,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => mark(target, key, { type: 'each' });
}
