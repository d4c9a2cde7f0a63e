export { halvesOf } from './batch.split.js';
export { CycleDetector } from './cycle.detector.js';
export type { At, Built, Enumerator, EnumeratorLike } from './enumerator.js';
export { EventLoopTurns } from './event.loop.turns.js';
export { indexCursor } from './index-cursor.js';
export type { ItemOutcome, ItemPosition, ItemRange } from './item.range.js';
export { type ColumnOrder, compareNumbers, type KeyValues } from './key-order.js';
export {
  type BatchOptions,
  checkOptions,
  type KeyColumn,
  type KeysetOptions,
  resolveBatchOptions,
  resolveKeysetOptions,
  resolvePartitionOptions,
} from './keyset-options.js';
export {
  checkForward,
  cursorOf,
  type KeyBounds,
  type KeyedRows,
  type KeysetQuery,
  keyedPage,
  keysetPages,
  keyValues,
} from './keyset-pages.js';
export { isAt, isThrottled, type Next, type Page, pageSlice, type Throttled } from './page.js';
export { batchEnumeratorOf, enumeratorOf, givenCursors, type PartOptions, type Reads } from './part.js';
export { checkPartitions, cutsOf, evenSizes, type PartitionOptions, partsBetween } from './partitions.js';
export type { RunReader } from './read-ahead.js';
export { isEnumeratorLike, readerOf, sourceOf } from './reader-of.js';
export { type Bounds, type PageReader, type Part, readPages, type Source, sourceLike } from './source.js';
export { SourceEnumerator } from './source-enumerator.js';
export { called, toError } from './thrown.js';
