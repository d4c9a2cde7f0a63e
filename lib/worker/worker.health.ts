import type { RegisteredQueue } from '../discovery/index.js';
import type { RunInputs } from '../runtime/index.js';

/** What the worker of a queue does now, in this process. */
export interface WorkerHealth {
  readonly queue: RegisteredQueue;
  /** Whether it takes jobs. */
  readonly isRunning: boolean;
  readonly runs: readonly RunHealth[];
}

interface RunHealth {
  readonly id: string;
  readonly name: string;
  /** When the run saved its last checkpoint, else when it began: milliseconds since 1970. */
  readonly checkpointAt: number;
}

export function healthOf({ job, lastCheckpoint }: Pick<RunInputs, 'job' | 'lastCheckpoint'>): RunHealth {
  return { id: job.id as string, name: job.name, checkpointAt: lastCheckpoint.at };
}
