import type { Worker } from 'bullmq';
import type { ControlStore } from '../checkpoint/index.js';
import type { RunControl } from '../runtime/index.js';

/** How often a worker looks for what operators ask of its jobs: a job stops within two seconds (R28). */
const LOOK_MS = 1_000;

/** Looks until the worker is closed: one round trip for all its jobs, and none while it has none. */
export function pollControl(
  worker: Worker,
  active: ReadonlySet<{ readonly control: RunControl }>,
  store: Pick<ControlStore, 'controls'>,
): void {
  let isLooking = false;
  const look = async () => {
    if (isLooking || active.size === 0) return;
    isLooking = true;
    const runs = [...active];
    try {
      const ids = [...new Set(runs.flatMap(({ control }) => control.ids))];
      const texts = await store.controls(ids);
      const documents = new Map(ids.map((id, index) => [id, texts[index]]));
      for (const { control } of runs) control.update(documents);
    } catch {
      // The backend is away: it is asked again in a second.
    } finally {
      isLooking = false;
    }
  };
  const looks = setInterval(() => void look(), LOOK_MS).unref();
  worker.once('closed', () => clearInterval(looks));
}
