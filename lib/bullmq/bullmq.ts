import type { JobState, Queue, QueueEvents, Worker } from 'bullmq';

export type Owner = Queue | QueueEvents | Worker;

/** What differs between BullMQ 5 and BullMQ 6, as far as this library uses it. Everything else is the same in both. */
export interface BullMQ {
  /** Where a queue or worker keeps its jobs: an object with the `client`, `keys` and `toKey` of Redis, or with PostgreSQL's. */
  backendOf(owner: Owner): unknown;

  /** Applies the patches that only this major version needs, before the owner is used. */
  patch(owner: Owner): void;

  /** Ids of the jobs of a queue in a state, those of a page that `getJobs` would load. */
  idsIn(
    queue: Queue,
    state: JobState,
    page: { readonly start: number; readonly end: number },
  ): Promise<readonly string[]>;

  /** Disconnects a queue or worker. It may wait for the server without limit. */
  disconnect(owner: Owner): Promise<void>;
}
