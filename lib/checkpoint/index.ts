export {
  type Checkpoint,
  endedNow,
  type Restored,
  readCheckpoint,
  restoreCheckpoint,
} from './checkpoint.js';
export { type CheckpointStore, checkpointStoreOf } from './checkpoint.store.js';
export { CheckpointWriter } from './checkpoint.writer.js';
export { cursorAfter, versionChange } from './cursor.compatibility.js';
export { initialCursor, startAfter } from './initial.cursor.js';
export { Progress, ProgressTracker, type SavedProgress } from './progress.js';
export {
  detachScheduler,
  hasStarted,
  keepingLast,
  LOOK_AGAIN_MS,
  mustWait,
  releaseDeduplication,
} from './references.js';
export { fractionPerSecond, itemsPerSecond } from './throughput.js';
