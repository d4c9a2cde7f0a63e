import type { Job } from 'bullmq';

/** A move that the handler asked for, carried out when the run has saved its checkpoint. */
export type DeferredMove = () => Promise<unknown>;

/**
 * Guards the job that user code is given. The documented pattern `await job.moveToDelayed(...); throw new DelayedError()`
 * gives up the lock before the cursor is saved: its move is put off until the run is settled (R22). And a job's progress
 * is its checkpoint, which only the run writes.
 */
export class JobGuard {
  /** The last move that was asked for. */
  deferred: DeferredMove | undefined;

  constructor(
    private readonly job: Job,
    warn: (message: string) => void,
  ) {
    const { moveToDelayed, moveToWait, moveToWaitingChildren } = job;
    job.moveToDelayed = async (...args) => {
      this.deferred = () => moveToDelayed.apply(job, args);
    };
    job.moveToWait = async (...args) => {
      this.deferred = () => moveToWait.apply(job, args);
      return 0;
    };
    job.moveToWaitingChildren = async (...args) => {
      const { unprocessed = 0 } = await job.getDependenciesCount({ unprocessed: true });
      if (unprocessed === 0) return false;
      // A child may finish before the move: then there is nothing to wait for.
      this.deferred = async () => (await moveToWaitingChildren.apply(job, args)) || moveToWait.call(job, args[0]);
      return true;
    };
    let warned = false;
    job.updateProgress = async () => {
      if (!warned)
        warn(
          'job.updateProgress was called and ignored: the progress of an iterative job is its checkpoint. Use context.state',
        );
      warned = true;
    };
  }

  /** Gives BullMQ its own methods back. The progress stays the run's. */
  release(): void {
    for (const name of ['moveToDelayed', 'moveToWait', 'moveToWaitingChildren'] as const) {
      delete (this.job as Partial<Job>)[name];
    }
  }
}
