import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { CheckpointStore } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { InterruptionRequest } from '../interruption/index.js';

/** How long a backend that is away is tried. */
const TRY_FOR_MS = 60_000;
const RETRY_MS = 500;

interface SurvivingRun {
  readonly job: Job;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
}

/**
 * R19: a run has lost its lock and its process is alive, so its item did not kill the process. Written beside the
 * checkpoint, which is another run's by now.
 */
export async function reportSurvivor(run: number, { clock, interruption, job, store }: SurvivingRun): Promise<void> {
  const until = clock.now() + TRY_FOR_MS;
  while (!interruption.isAbandoned && clock.now() < until) {
    try {
      return await store.noteSurvivor(job, run);
    } catch {
      await delay(RETRY_MS, undefined, { ref: false });
    }
  }
}
