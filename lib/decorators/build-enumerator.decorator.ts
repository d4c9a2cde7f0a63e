import type { Built } from '../enumerators/contract/index.js';
import { mark } from './metadata.js';

/**
 * The method that says what to iterate over. It is called at the beginning of each run with the cursor of the last
 * finished item, and returns an enumerator that starts after it; `null` means that there is nothing to do.
 */
export function BuildEnumerator(): <P extends object, K extends keyof P, M extends (context: never) => Built<unknown>>(
  target: P,
  key: K,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => mark(target, key as string | symbol, { type: 'build' });
}
