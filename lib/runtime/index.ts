export { checkFirstCursor } from './first.cursor.js';
export { type ItemWork, PlainWork } from './item.executor.js';
export { tellOfLoss } from './lost.run.js';
export { interruptedBy, isEnd, type LoopEnd, PageFeed } from './page.reader.js';
export {
  type ControlError,
  controlErrorOf,
  isUnrecoverable,
  judge,
  prepareForFailure,
  type Verdict,
} from './retry.decision.js';
export { RunContext } from './run.context.js';
export { RunHooks } from './run.hooks.js';
export type { RunParts } from './run.js';
export { RunLog } from './run.log.js';
export { RunWatch } from './run.timer.js';
