export { AroundIteration } from './around-iteration.decorator.js';
export { BuildEnumerator } from './build-enumerator.decorator.js';
export { BuildPartitions } from './build-partitions.decorator.js';
export { EachIteration } from './each-iteration.decorator.js';
export { IterativeProcessor } from './iterative-processor.decorator.js';
export { type Mark, marksOf, processorOptionsOf, type Role } from './metadata.js';
export { OnIteration } from './on-iteration.decorator.js';
export type { DataOf, ItemOf } from './processor.types.js';
