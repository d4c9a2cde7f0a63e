import type { Job } from 'bullmq';

/** A move that the handler asked for. It is made once the run has saved its checkpoint. */
export type DeferredMove = () => Promise<unknown>;

/**
 * Replaces methods of the job that user code is given. BullMQ's documented pattern `await job.moveToDelayed(...); throw new
 * DelayedError()` releases the lock before the cursor is saved: its move is deferred to the end of the run (R22). And a
 * job's progress is its checkpoint, which only the run writes.
 */
export class DeferredMoves {
  /** The last move that the handler asked for. */
  last: DeferredMove | undefined;

  constructor(
    private readonly job: Job,
    warn: (message: string) => void,
  ) {
    const { moveToDelayed, moveToWait, moveToWaitingChildren } = job;
    job.moveToDelayed = async (...args) => {
      this.last = () => moveToDelayed.apply(job, args);
    };
    job.moveToWait = async (...args) => {
      this.last = () => moveToWait.apply(job, args);
      return 0;
    };
    job.moveToWaitingChildren = async (...args) => {
      const { unprocessed = 0 } = await job.getDependenciesCount({ unprocessed: true });
      if (unprocessed === 0) return false;
      // A child may finish before the move: then there is nothing to wait for.
      this.last = async () => (await moveToWaitingChildren.apply(job, args)) || moveToWait.call(job, args[0]);
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
