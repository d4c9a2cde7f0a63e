import type { ProcessorOptions } from '../iteration.options.js';
import { markProcessor } from './marks.js';
import type { Uses } from './processor.types.js';

/**
 * Makes a provider the processor of a queue's jobs: of those named `name`, or of all.
 *
 * A plain provider: no base class. `@IterativeProcessor('queue')` is short for `{ queue: 'queue' }`. The class has one
 * `@BuildEnumerator` and one `@EachIteration`; misuse fails when the application starts.
 */
export function IterativeProcessor(
  options: string | ProcessorOptions,
): <P extends Uses<P, 'none'>>(target: abstract new (...args: never[]) => P) => void {
  return (target) => markProcessor(target, options);
}
