import type { Job, Worker } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';
import { IterationError } from '../iteration.errors.js';
import { PostgresCheckpointStore } from './checkpoint.store.postgres.js';
import { RedisCheckpointStore } from './checkpoint.store.redis.js';
import type { JobReferences } from './references.js';

export interface SaveOptions {
  readonly yields?: boolean;
}

/**
 * The only code that writes a job's progress. BullMQ's own `updateProgress` does not compare the lock, so a zombie could move
 * a checkpoint. The store, its two backends and its `references` are the only code that touches BullMQ's storage.
 */
export interface CheckpointStore {
  readonly references: JobReferences;

  /**
   * Writes `document` as the job's progress if `token` still holds its lock, in one step.
   *
   * @param options `yields`: the job is about to be delayed, and must then go after the others of its priority (R6).
   * @returns false when the lock is another's, or nobody's: nothing was written.
   */
  save(job: Pick<Job, 'id'>, token: string, document: object, options?: SaveOptions): Promise<boolean>;

  /** Records beside the checkpoint, whoever has the lock, that the process of a run survived it (R19). */
  noteSurvivor(job: Pick<Job, 'id'>, run: number): Promise<void>;

  /** The runs whose process survived. */
  survivors(job: Pick<Job, 'id'>): Promise<readonly number[]>;
}

/** The store for a worker's backend. */
export function checkpointStoreOf(worker: Worker): CheckpointStore {
  const backend = bullmqOf(worker)?.backendOf(worker);
  if (RedisCheckpointStore.serves(backend)) return new RedisCheckpointStore(backend);
  if (PostgresCheckpointStore.serves(backend)) return new PostgresCheckpointStore(backend);
  throw new IterationError(
    `The queue's backend is a ${(backend as object).constructor.name}; checkpoints can be kept in BullMQ's Redis and PostgreSQL backends`,
  );
}
