import type { Job } from 'bullmq';
import type { Clock } from '../clock.js';
import type { RegisteredQueue } from '../discovery/index.js';

/** What the worker of a queue does now, in this process. */
export interface WorkerHealth {
  readonly queue: RegisteredQueue;
  /** Whether it takes jobs. */
  readonly isRunning: boolean;
  readonly runs: readonly RunHealth[];
}

export interface RunHealth {
  readonly id: string;
  readonly name: string;
  /** When the run saved its last checkpoint, else when it began: milliseconds since 1970. */
  readonly checkpointAt: number;
}

/** A run that notes its checkpoints. */
export interface NotingRun {
  readonly job: Job;
  checkpointAt: number;
}

export function healthOf({ checkpointAt, job }: NotingRun): RunHealth {
  return { id: job.id as string, name: job.name, checkpointAt };
}

export function noteCheckpoint(run: NotingRun, clock: Clock): void {
  run.checkpointAt = clock.now();
}
