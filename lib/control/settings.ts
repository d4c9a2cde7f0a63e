import type { Checkpoint, TunedSettings } from '../checkpoint/index.js';
import type { ResolvedRunOptions } from '../iteration.options.js';

/** Settings in force. */
export interface SettingsShown {
  readonly itemConcurrency: number;
  readonly itemsPerSecond?: number;
  /** Of a source of batches, once it was opened. */
  readonly batchSize?: number;
}

/** What the last run had, else what the processor has; and what was tuned since. */
export function settingsOf(
  { settings: saved }: Checkpoint,
  tuned: TunedSettings,
  options: ResolvedRunOptions | undefined,
): SettingsShown {
  const known = saved ?? options;
  const concurrency = tuned.itemConcurrency ?? known?.itemConcurrency ?? 1;
  const perSecond = tuned.itemsPerSecond === undefined ? known?.itemsPerSecond : tuned.itemsPerSecond;
  const hasBatches = saved === undefined || saved.batchSize !== undefined;
  const batchSize = hasBatches ? (tuned.batchSize ?? saved?.batchSize) : undefined;
  return {
    itemConcurrency: saved?.isSequential ? 1 : concurrency,
    ...(perSecond && perSecond !== Infinity && { itemsPerSecond: perSecond }),
    ...(batchSize && { batchSize }),
  };
}
