import type { Job } from 'bullmq';
import { bullmqOf, type Owner } from '../bullmq/index.js';
import { IterationError } from '../iteration.errors.js';
import { PostgresCheckpointStore } from './checkpoint.store.postgres.js';
import { RedisCheckpointStore } from './checkpoint.store.redis.js';
import type { ControlStore } from './job.control.js';
import type { JobReferences } from './references.js';
import type { SaveOptions } from './save.options.js';
import type { SharedStore } from './shared.store.js';

/**
 * The only code that writes a job's progress. BullMQ's own `updateProgress` does not compare the lock, so a zombie could move
 * a checkpoint. The store, its two backends and its `references` are the only code that touches BullMQ's storage.
 */
export interface CheckpointStore extends ControlStore, SharedStore {
  readonly references: JobReferences;

  /**
   * Writes `document` as the job's progress if `token` still holds its lock, in one step.
   *
   * @returns false when the lock is another's, or nobody's: nothing was written.
   */
  save(job: Pick<Job, 'id'>, token: string, document: object, options?: SaveOptions): Promise<boolean>;

  /** Records beside the checkpoint, whoever has the lock, that the process of a run survived it (R19). */
  noteSurvivor(job: Pick<Job, 'id'>, run: number): Promise<void>;

  /** The runs whose process survived. */
  survivors(job: Pick<Job, 'id'>): Promise<readonly number[]>;

  /**
   * Keeps the parts of a job beside its checkpoint, if `token` still holds its lock (R27).
   *
   * @returns false when the lock is another's, or nobody's: nothing was written.
   */
  saveParts(job: Pick<Job, 'id'>, token: string, parts: string): Promise<boolean>;

  /** What {@link saveParts} was given. */
  parts(job: Pick<Job, 'id'>): Promise<string | undefined>;

  /** The lines of the job's last runs. */
  history(job: Pick<Job, 'id'>): Promise<string | undefined>;
}

/** The store for the backend of a queue or worker. */
export function checkpointStoreOf(owner: Owner): CheckpointStore {
  const backend = bullmqOf(owner)?.backendOf(owner);
  if (RedisCheckpointStore.serves(backend)) return new RedisCheckpointStore(backend);
  if (PostgresCheckpointStore.serves(backend)) return new PostgresCheckpointStore(backend);
  throw new IterationError(
    `The queue's backend is a ${(backend as object).constructor.name}; checkpoints can be kept in BullMQ's Redis and PostgreSQL backends`,
  );
}
