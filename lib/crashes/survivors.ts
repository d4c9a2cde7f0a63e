import { setTimeout as delay } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { CheckpointStore } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { InterruptionRequest } from '../interruption/index.js';

interface SurvivorParts {
  readonly job: Job;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
}

/** For so long is a backend that is away told again. */
const TELL_MS = 60_000;
const TELL_AGAIN_MS = 500;

/**
 * R19: a run has lost its lock and its process is alive, so its item did not end it. Told beside the checkpoint, which is
 * another run's by now.
 */
export async function tellOfSurvival(run: number, { clock, interruption, job, store }: SurvivorParts): Promise<void> {
  const until = clock.now() + TELL_MS;
  while (!interruption.isAbandoned && clock.now() < until) {
    try {
      return await store.noteSurvivor(job, run);
    } catch {
      await delay(TELL_AGAIN_MS, undefined, { ref: false });
    }
  }
}
