import { mark } from './metadata.js';
import type { Around } from './processor.types.js';

/**
 * A method that wraps each try of one item, not a run: it calls `next` to handle it. Of several, the first in the class
 * is the outermost.
 */
export function AroundIteration(): <P extends object, M extends Around<P>>(
  target: P,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => mark(target, key, { type: 'around' });
}
