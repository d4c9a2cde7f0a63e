import type { Job, WorkerOptions } from 'bullmq';
import type { CheckpointStore } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { Suspects } from '../crashes/index.js';
import type { DeadLetters } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import type { RunLog } from './run.log.js';

/** What a run is made of: its job, the processor, and what the worker gives it. */
export interface RunParts {
  readonly definition: ProcessorDefinition;
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly log: RunLog;
  /** All runs of the process that are under suspicion. */
  readonly suspects: Suspects;
  /** Of the job's queue, opened when it is needed. */
  readonly deadLetters: () => DeadLetters;
  /** Of the queue's names in its backend. */
  readonly prefix: string;
  /** Of BullMQ's worker: the backoff strategy. */
  readonly settings: WorkerOptions['settings'];
}
