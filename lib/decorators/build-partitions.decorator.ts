import type { Json } from '../cursor.js';
import type { PartitionsContext } from '../definition/index.js';
import { mark } from './metadata.js';
import type { DataOf } from './processor.types.js';

/**
 * The method that splits a job into parts (R27): a list of JSON values, such as the ranges of `typeorm.partitions`. It is called
 * once in a job's life. Each part is a job of its own, whose `@BuildEnumerator` gets its value as `part`; any number of workers
 * handle parts at the same time. An empty list completes the job.
 */
export function BuildPartitions(): <
  P extends object,
  M extends (context: PartitionsContext<DataOf<P>>) => readonly Json[] | Promise<readonly Json[]>,
>(
  target: P,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key) => mark(target, key, { type: 'partitions' });
}
