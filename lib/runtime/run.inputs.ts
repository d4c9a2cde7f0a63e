import type { Job, Queue, WorkerOptions } from 'bullmq';
import type { AroundRun } from '../around.run.js';
import type { CheckpointStore } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { Quarantine } from '../crashes/index.js';
import type { DeadLetterQueue } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import type { Publisher } from '../events/index.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import type { RunControl } from './run.control.js';
import type { RunLog } from './run.log.js';
import type { WholeLimits } from './whole.limits.js';

/** What a worker starts a run with. */
export interface RunInputs {
  readonly definition: ProcessorDefinition;
  readonly job: Job;
  readonly queue: Queue;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly control: RunControl;
  readonly log: RunLog;
  /** Of a part: the limits of its whole job. */
  readonly limits?: WholeLimits | undefined;
  /** When the run saved its last checkpoint, else when it began. The worker's health is read from it. */
  readonly lastCheckpoint: { at: number };
  /** Shared by all runs of the process. */
  readonly quarantine: Quarantine;
  /** Dead-letter queue of the job's queue. Opened on first use. */
  readonly deadLetters: () => DeadLetterQueue;
  /** Prefix of the queue's keys in its backend. */
  readonly prefix: string;
  /** `settings` of BullMQ's worker: the backoff strategy. */
  readonly workerSettings: WorkerOptions['settings'];
  readonly publisher: Publisher;
  /** The module's `aroundRun`. */
  readonly around: AroundRun | undefined;
  /** How long a shutdown waits for a handler. */
  readonly shutdownDeadlineMs: number;
}
