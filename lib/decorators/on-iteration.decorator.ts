import type { IterationEvent, IterationEvents } from '../definition/index.js';
import { mark } from './metadata.js';
import type { HookOf } from './processor.types.js';

/**
 * A hook of a job's life; see {@link IterationEvents} for when each is called. A hook that throws is logged and keeps no
 * job from settling, except `start`, `resume` and `complete`, which fail the attempt (R7).
 */
export function OnIteration<E extends IterationEvent>(
  event: E,
): <P extends object, M extends HookOf<P, IterationEvents[E]>>(
  target: P,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => mark(target, key, { type: 'on', event });
}
