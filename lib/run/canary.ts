import { canaryOf } from '../checkpoint/index.js';
import type { Run, SourcePagesOptions } from '../runtime/index.js';

/** R35: what is left of a job's first items, after which it pauses itself. */
export function canaryLeft({
  control,
  job,
  limits,
  progress,
}: Pick<Run, 'control' | 'job' | 'limits' | 'progress'>): SourcePagesOptions['canary'] {
  const items = control.isCanaryDone ? undefined : canaryOf(job);
  if (items === undefined) return undefined;
  const reason = `canary: its first ${items === 1 ? 'item is' : `${items} items are`} done`;
  const left = limits?.canaryLeft ?? Math.max(0, items - progress.itemsSeen);
  return { items: left, pause: () => control.pauseItself({ reason, isCanaryDone: true }) };
}
