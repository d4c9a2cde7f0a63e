export { type Checkpoint, endedNow, readCheckpoint, type SettingsInForce } from './checkpoint.js';
export { type CheckpointStore, checkpointStoreOf } from './checkpoint.store.js';
export { CheckpointWriter } from './checkpoint.writer.js';
export { cursorAfter, versionChange } from './cursor.compatibility.js';
export { canaryOf, canaryOptions, initialCursor, startAfter } from './initial.cursor.js';
export {
  type Asked,
  type ControlEvent,
  type ControlRequest,
  type ControlStore,
  changeControl,
  type Granted,
  type JobControl,
  type OwnPause,
  readControl,
  recordEvent,
  type TunedSettings,
  withoutAnswered,
  withoutParked,
  withRequest,
} from './job.control.js';
export { Progress, ProgressTracker, type SavedProgress } from './progress.js';
export {
  detachScheduler,
  hasStarted,
  keepingLast,
  LOOK_AGAIN_MS,
  mustWait,
  releaseDeduplication,
} from './references.js';
export { type Restored, restoreCheckpoint } from './restore.checkpoint.js';
export { type IterationRun, type RunEnding, readHistory } from './run.history.js';
export type { SharedStore } from './shared.store.js';
export { fractionPerSecond, itemsPerSecond, toTenths } from './throughput.js';
export { RunTimes } from './time.split.js';
