import type { Job } from 'bullmq';

/** How a run ended, as {@link AroundRun} sees it. */
export interface EndedRun {
  /** `lost`: another worker has the job, or soon will. */
  readonly outcome: 'complete' | 'interrupt' | 'retry' | 'cancel' | 'fail' | 'lost';
  /** Of `retry`, `cancel` and `fail`. */
  readonly error: unknown;
  /** Of `interrupt`: its reason. */
  readonly reason: string | undefined;
}

/** The run that {@link AroundRun} is called for. */
export interface AroundedRun {
  readonly job: Job;
  /** Name of the processor's class. */
  readonly processor: string;
  /** 1 for the first run of the job. */
  readonly run: number;
  /**
   * Texts for the job's next run, such as a trace's context: what is written to it before `next` is called is kept in the
   * checkpoint. At most 1 KB.
   */
  readonly carrier: Record<string, string>;
  /** What the job's last run has left in its carrier. */
  readonly previous: Readonly<Record<string, string>> | undefined;
}

/**
 * Called around each run of every processor ([R38](docs/guarantees.md#r38)): `next()` builds the source, handles items and
 * calls hooks, and resolves with how the run ended; it never rejects for an item's error. An error that is thrown before
 * `next()` is called fails the attempt; a later one is logged.
 */
export type AroundRun = (run: AroundedRun, next: () => Promise<EndedRun>) => Promise<void>;
