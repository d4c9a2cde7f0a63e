import type { Job } from 'bullmq';
import type { Clock } from '../clock.js';
import type { Json } from '../cursor.js';
import type { RunEvents } from '../events/index.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import type { Checkpoint, SettingsInForce } from './checkpoint.js';
import type { CheckpointStore } from './checkpoint.store.js';
import type { ProgressTracker } from './progress.js';
import type { RunEnding } from './run.history.js';
import type { SaveOptions } from './save.options.js';
import type { RunTimes } from './time.split.js';

/** What the writer needs of a run. */
export interface WritingRun {
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly log: { warn(message: string): void };
  /** In milliseconds since 1970. */
  readonly lastCheckpoint: { at: number };
  readonly progress: ProgressTracker;
  readonly times: RunTimes;
  readonly settings: { readonly inForce: SettingsInForce };
  readonly events: Pick<RunEvents, 'publish'>;
  readonly rate: { readonly nextItemAt: number | undefined };
  /** The user's own state lives in the run's context. */
  readonly context: { state: Json };
}

export interface FinalOptions extends Pick<SaveOptions, 'yields'> {
  readonly ending?: Omit<RunEnding, 'at'>;
}

/** A checkpoint was saved, after another one or the run's beginning. */
export function noteCheckpoint(
  { clock, events, lastCheckpoint }: Pick<WritingRun, 'clock' | 'events' | 'lastCheckpoint'>,
  { cursor, passed, processed, progress: percent, skipped }: Checkpoint,
  before: Checkpoint,
): void {
  const now = clock.now();
  const sinceMs = now - lastCheckpoint.at;
  lastCheckpoint.at = now;
  events.publish('checkpoint', () => {
    return { cursor, processed, skipped, percent, items: passed - before.passed, sinceMs };
  });
}
