export { checkFirstCursor } from './first.cursor.js';
export { DirectExecutor, type ItemExecutor } from './item.executor.js';
export { ItemRate } from './item.rate.js';
export { logLostRun } from './lost.run.js';
export {
  type ControlError,
  controlErrorOf,
  decideRetry,
  isUnrecoverable,
  prepareForFailure,
  type RetryDecision,
} from './retry.decision.js';
export { RunContext } from './run.context.js';
export { detailOf, RunControl } from './run.control.js';
export { RunHooks } from './run.hooks.js';
export type { RunInputs } from './run.inputs.js';
export type { OpenRun, Run } from './run.js';
export { RunLog } from './run.log.js';
export { RunSettings } from './run.settings.js';
export { RunTimer } from './run.timer.js';
export { RunWarnings } from './run.warnings.js';
export { interruptedBy, isEnd, type LoopOutcome, SourcePages, type SourcePagesOptions } from './source.pages.js';
export { WholeLimits } from './whole.limits.js';
