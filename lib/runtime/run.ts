import type { CheckpointWriter, ProgressTracker, RunTimes } from '../checkpoint/index.js';
import type { RunEvents } from '../events/index.js';
import type { ItemExecutor } from './item.executor.js';
import type { ItemRate } from './item.rate.js';
import type { RunContext } from './run.context.js';
import type { RunHooks } from './run.hooks.js';
import type { RunInputs } from './run.inputs.js';
import type { RunSettings } from './run.settings.js';
import type { RunTimer } from './run.timer.js';
import type { SourcePages } from './source.pages.js';

/** One run of one job. Each step of the run is given this object. */
export interface Run extends RunInputs {
  readonly progress: ProgressTracker;
  readonly times: RunTimes;
  readonly settings: RunSettings;
  readonly rate: ItemRate;
  readonly context: RunContext;
  readonly checkpoint: CheckpointWriter;
  readonly hooks: RunHooks;
  readonly events: RunEvents;
  readonly executor: ItemExecutor;
}

/** A run whose source is open. */
export interface OpenRun extends Run {
  readonly pages: SourcePages;
  readonly timer: RunTimer;
}
